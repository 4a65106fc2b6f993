package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
)

// Options are the command line. Durations are milliseconds, because a test shortens an hour of plant time to seconds.
type Options struct {
	Hosts, VMs      int
	Cluster         string     // of -hosts, or the inventory's
	Inventory       *Inventory // in place of Hosts and VMs; nil = none
	Listen, Control string
	ESXiPrefix      string
	ESXiPort        int
	VCenterName     string
	HostNames       string
	CertFile        string
	KeyFile         string
	Plaintext       bool

	User, Password         string
	ESXiUser, ESXiPassword string

	VCenterVM       string
	VCenterDecoys   int
	OtherClusterVMs int

	Vcls       int
	VclsMode   string
	VSAN       bool
	DRSMoves   bool
	HAStrict   bool
	Standalone bool
	Plain      bool // no overlay at all

	Timing Timing

	Deny         repeated
	HookURL      string
	DieWithStdin bool
	Verbose      bool
}

// Timing is how long the plant takes for things, in milliseconds. The control face can change it while it runs.
type Timing struct {
	GuestMs       int `json:"guest_ms"`        // a guest's orderly shutdown
	VMBootMs      int `json:"vm_boot_ms"`      // from VM power-on until its tools run
	BootMs        int `json:"boot_ms"`         // from host power-on until it answers
	HostOffMs     int `json:"host_off_ms"`     // from ShutdownHost until the power is off
	MaintenanceMs int `json:"maintenance_ms"`  // from the last VM off until maintenance mode is entered
	VCenterBootMs int `json:"vcenter_boot_ms"` // from vCenter's VM power-on until vCenter answers
	AgentStopMs   int `json:"agent_stop_ms"`   // until an agent VM's manager stops it on a host that enters
	AgentStartMs  int `json:"agent_start_ms"`  // until it starts it again on a host that has left maintenance mode
	VclsMs        int `json:"vcls_ms"`         // until vCenter removes, restarts or spawns vCLS VMs
	CallDelayMs   int `json:"call_delay_ms"`   // added to every call on both faces
}

// repeated collects a flag that may be given more than once.
type repeated []string

func (r *repeated) String() string     { return strings.Join(*r, ",") }
func (r *repeated) Set(v string) error { *r = append(*r, v); return nil }

// defaultOptions is a small cluster with its vCenter outside: quick enough for a test.
func defaultOptions() Options {
	return Options{
		Hosts: 3, VMs: 10, Cluster: clusterName,
		Listen: "127.0.0.2:0", Control: "127.0.0.1:0",
		ESXiPrefix: "127.0.1.", ESXiPort: 9443,
		User: "administrator@vsphere.local", Password: "VMware1!",
		ESXiUser: "root", ESXiPassword: "VMware1!",
		VCenterVM: "none", VclsMode: "option",
		Timing: Timing{GuestMs: 200, VMBootMs: 300, BootMs: 1500, HostOffMs: 600,
			MaintenanceMs: 100, VCenterBootMs: 1500, VclsMs: 300},
	}
}

// parseOptions reads the command line; it answers flag.ErrHelp when help was asked for.
func parseOptions(args []string, output io.Writer) (Options, error) {
	o := defaultOptions()
	f := flag.NewFlagSet("virtual_vsphere", flag.ContinueOnError)
	f.SetOutput(output)
	f.IntVar(&o.Hosts, "hosts", o.Hosts, "hosts of the cluster")
	f.IntVar(&o.VMs, "vms", o.VMs, "VMs of the cluster, vCenter's own included")
	inventory := f.String("inventory", "", "JSON file of named hosts and VMs, in place of -hosts and -vms")
	f.StringVar(&o.Listen, "listen", o.Listen, "vCenter's address; port 0 = any")
	f.StringVar(&o.Control, "control", o.Control, "control face (plain HTTP); port 0 = any")
	f.StringVar(&o.ESXiPrefix, "esxi-prefix", o.ESXiPrefix, `first three octets of the direct ESXi faces; "" = no direct faces`)
	f.IntVar(&o.ESXiPort, "esxi-port", o.ESXiPort, "port of every direct ESXi face; 0 = any, one for each")
	f.StringVar(&o.VCenterName, "vcenter-name", "", "host name of vCenter, which a resolver of the test knows; none = its address")
	f.StringVar(&o.HostNames, "host-names", "", "host names of the cluster's hosts with %d for the number; none = their addresses")
	f.StringVar(&o.CertFile, "cert", o.CertFile, "PEM certificate chain for every TLS face; none = self-signed, one for each face")
	f.StringVar(&o.KeyFile, "key", o.KeyFile, "PEM key for -cert")
	f.BoolVar(&o.Plaintext, "plaintext", o.Plaintext, "serve without TLS")
	f.StringVar(&o.User, "user", o.User, "vCenter user")
	f.StringVar(&o.Password, "password", o.Password, "vCenter password")
	f.StringVar(&o.ESXiUser, "esxi-user", "", "ESXi user (default: root)")
	f.StringVar(&o.ESXiPassword, "esxi-password", "", "ESXi password (default: -password)")
	f.StringVar(&o.VCenterVM, "vcenter-vm", o.VCenterVM, `name of the VM that is vCenter; "none" = vCenter is outside`)
	f.IntVar(&o.VCenterDecoys, "vcenter-decoys", o.VCenterDecoys, "further VMs that look like a vCenter")
	f.IntVar(&o.OtherClusterVMs, "other-cluster-vms", o.OtherClusterVMs, "VMs of a second cluster that must stay untouched; 0 = no second cluster")
	f.IntVar(&o.Vcls, "vcls", 0, "vCLS VMs of the cluster")
	f.StringVar(&o.VclsMode, "vcls-mode", o.VclsMode, "how retreat is told: option, system (API 8.0.2) or none (vSphere 9)")
	f.BoolVar(&o.VSAN, "vsan", false, "the cluster says that it has vSAN")
	f.BoolVar(&o.DRSMoves, "drs-moves", false, "automated DRS empties a host that enters maintenance mode")
	f.BoolVar(&o.HAStrict, "ha-strict", false, "HA's admission control holds maintenance mode up")
	f.BoolVar(&o.Plain, "plain", false, "VMware's simulator as it is, without the overlay; -hosts, -vms, -listen, -user and -password alone count")
	f.BoolVar(&o.Standalone, "standalone", false, "no vCenter at all")
	t := &o.Timing
	f.IntVar(&t.VclsMs, "vcls-ms", t.VclsMs, "until vCenter removes, restarts or spawns vCLS VMs")
	f.IntVar(&t.GuestMs, "guest-ms", t.GuestMs, "a guest's orderly shutdown")
	f.IntVar(&t.VMBootMs, "vm-boot-ms", t.VMBootMs, "from VM power-on until its tools run")
	f.IntVar(&t.BootMs, "boot-ms", t.BootMs, "from host power-on until it answers")
	f.IntVar(&t.HostOffMs, "host-off-ms", t.HostOffMs, "from ShutdownHost until the power is off")
	f.IntVar(&t.AgentStopMs, "agent-stop-ms", 0, "until an agent VM's manager stops it on a host that enters maintenance mode")
	f.IntVar(&t.AgentStartMs, "agent-start-ms", 0, "until it starts it again on a host that has left maintenance mode")
	f.IntVar(&t.MaintenanceMs, "maintenance-ms", t.MaintenanceMs, "from the last VM off until maintenance mode")
	f.IntVar(&t.VCenterBootMs, "vcenter-boot-ms", t.VCenterBootMs, "from vCenter's VM power-on until vCenter answers")
	f.IntVar(&t.CallDelayMs, "call-delay-ms", t.CallDelayMs, "added to every call on both faces")
	f.Var(&o.Deny, "deny", `withhold a privilege, "VirtualMachine.Interact.PowerOff@VMNAME" (repeatable; a third part @vcenter, @esxi or @all names the face)`)
	f.StringVar(&o.HookURL, "hook-url", "", "URL that gets a POST for each event of the plant")
	f.BoolVar(&o.DieWithStdin, "die-with-stdin", false, "exit when stdin closes")
	f.BoolVar(&o.Verbose, "verbose", false, "the simulator's own log on stderr")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	if o.ESXiUser == "" {
		o.ESXiUser = "root"
	}
	if o.ESXiPassword == "" {
		o.ESXiPassword = o.Password
	}
	if *inventory != "" {
		inv, err := readInventory(*inventory)
		if err != nil {
			return o, err
		}
		inv.apply(&o)
		o.Inventory = inv
	}
	return o, o.check()
}

// check refuses what could not be built, before anything is built.
func (o Options) check() error {
	switch {
	case o.Hosts < 1:
		return errors.New("-hosts: at least one")
	case o.ESXiPrefix != "" && o.Hosts > 254:
		return errors.New("-hosts: at most 254 with direct faces, as each has an address of its own")
	case o.VMs < 0 || o.VCenterDecoys < 0 || o.OtherClusterVMs < 0:
		return errors.New("numbers of VMs cannot be negative")
	case o.ownsVCenter() && o.VMs < 1:
		return errors.New("-vcenter-vm: needs -vms 1 or more")
	case o.HostNames != "" && (strings.Count(o.HostNames, "%") != 1 || !strings.Contains(o.HostNames, "%d")):
		return errors.New("-host-names: a name with one %d, as esx%d.lab.test")
	case o.VclsMode != "option" && o.VclsMode != "system" && o.VclsMode != "none":
		return errors.New("-vcls-mode: option, system or none")
	case o.Vcls < 0 || o.Vcls > 0 && (o.VclsMode == "none" || o.Standalone):
		return errors.New("-vcls: not below 0, and none without vCenter or in mode none")
	case o.Standalone && o.ownsVCenter():
		return errors.New("-standalone: has no vCenter, so no VM is one")
	case (o.CertFile == "") != (o.KeyFile == ""):
		return errors.New("-cert and -key come together")
	}
	return nil
}

// ownsVCenter tells whether vCenter runs inside the cluster that it manages.
func (o Options) ownsVCenter() bool { return o.VCenterVM != "" && o.VCenterVM != "none" }
