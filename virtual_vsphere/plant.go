package main

import (
	"sync"
	"time"

	"github.com/vmware/govmomi/vim25/types"
)

// Plant is the one truth about hosts and VMs. The faces (vCenter's and each host's own) only show it: a call on any
// face changes the plant, and the plant pushes the change to every face that shows the thing. So two faces cannot
// disagree for longer than a push takes, and no face has to watch another.
//
// Lock order: an object of the simulator may be locked when mu is taken, never the other way round. Therefore
// nothing here touches an object of the simulator; push.go does, without mu.
type Plant struct {
	journal *Journal

	mu       sync.Mutex
	timing   Timing
	hosts    []*Host
	vms      []*VM
	vcenter  VCenter
	clusters map[string]*ClusterSettings
	cluster  string // the name of the one that is the plant's

	vclsRetreats bool
	vclsMade     int // numbers the vCLS VMs, so that no UUID comes twice

	changed chan struct{} // closed and replaced at every change: wakes those who wait for a condition

	dirtyHosts map[*Host]bool
	dirtyVMs   map[*VM]bool
	wanted     uint64 // number of the last change
	pushed     uint64 // number of the last change that the faces show
	wake       chan struct{}
}

// Host is a physical machine. Its power, its operating system and its management address die and return in steps.
type Host struct {
	Name, Cluster, Address string
	Label                  string // the inventory's name of it
	BootMs, OffMs          *int   // durations of its own; nil = the plant's
	IP                     string // of its management; empty without a direct face
	Port                   int32
	UUID, Serial           string
	Cert                   string // what its own face presents, PEM; empty without one
	KnownCert              string // what vCenter shows of it

	On          bool // the power is on: what a BMC would say
	Booting     bool // the power is on, but nothing answers yet
	Silent      bool // the power is still on, but management has ended
	Isolated    bool // its management network is cut; it runs, and so do its VMs
	Stopping    bool // told to shut down, still answering
	Maintenance bool
	BootTime    time.Time

	Standby       bool   // off, by DPM's doing
	Disconnected  bool   // vCenter let go of it, until it is told to reconnect
	ShutdownHangs bool   // its shutdown never ends: silent, with the power on
	Lockdown      string // lockdownNormal or lockdownStrict; empty = none
	Exceptions    string // users who may log in all the same, with commas

	face    *Face // the direct face, nil without one
	running int   // VMs that are on: asked by every waiting maintenance task at every change
	epoch   int   // counts power changes: a timer of an earlier life must do nothing
}

// answers tells whether the host's management is there: vCenter sees it connected and its direct face is open.
func (h *Host) answers() bool { return h.On && !h.Booting && !h.Silent && !h.Isolated }

// seen tells whether vCenter has the host.
func (h *Host) seen() bool { return h.answers() && !h.Disconnected }

// VM is a guest with its host. Paths and UUIDs are the same on every face; managed object references are not.
type VM struct {
	Name, InstanceUUID, BIOSUUID, Path string
	HostName, IP                       string
	Addresses                          []string // of its guest; none = IP
	GuestID                            string
	BootMs                             *int    // from its power-on until its tools run; nil = the plant's
	Asks                               *Asking // what it asks when its guest is told to shut down
	LooksLikeVCenter                   bool

	Host         *Host
	Power        types.VirtualMachinePowerState
	HasTools     bool
	ToolsRunning bool
	GuestState   string
	Template     bool
	Question     string
	GuestMs      int  // a shutdown time of its own; below 0 = the plant's
	Hangs        bool // the guest never stops
	PowerHangs   bool // PowerOff never ends either: only TerminateVM helps
	AsksMoved    bool // the next power-on asks whether the VM was moved or copied
	CleanOff     bool
	StopsLater   bool // asked to shut down while a question was pending
	IsVCLS       bool
	ExtraKey     string // a key of extraConfig that is "true"
	ManagedBy    string // EXTENSION/TYPE of the solution that owns it
	ManagerOff   bool   // its manager stopped it
	FT           int32  // 1 primary, 2 secondary, 0 no pair
	Pair         *VM
	Connection   types.VirtualMachineConnectionState // empty = as its host's
	BootTime     time.Time

	epoch int
}

func (v *VM) isOn() bool { return v.Power == types.VirtualMachinePowerStatePoweredOn }

// ClusterSettings is what the control face tells about HA, DRS and DPM.
type ClusterSettings struct {
	HAEnabled           bool   `json:"ha_enabled"`
	HostMonitoring      string `json:"ha_host_monitoring"`
	AdmissionControl    bool   `json:"ha_admission_control"`
	DRSEnabled          bool   `json:"drs_enabled"`
	DRSBehavior         string `json:"drs_behavior"`
	DRSBehaviorOverride bool   `json:"drs_vm_overrides"`
	DPMEnabled          bool   `json:"dpm_enabled"`
}

func newPlant(cluster string, timing Timing) *Plant {
	return &Plant{
		journal: newJournal(), timing: timing, cluster: cluster, clusters: map[string]*ClusterSettings{},
		changed: make(chan struct{}), wake: make(chan struct{}, 1),
		dirtyHosts: map[*Host]bool{}, dirtyVMs: map[*VM]bool{},
	}
}

// note records something that the plant did. mu is held.
func (p *Plant) note(what, object, host string) {
	p.journal.add(Entry{What: what, Object: object, Host: host})
}

// touchHost and touchVM mark what the faces have to show anew. mu is held.
func (p *Plant) touchHost(h *Host) { p.dirtyHosts[h] = true; p.touched() }
func (p *Plant) touchVM(v *VM)     { p.dirtyVMs[v] = true; p.touched() }

func (p *Plant) touched() {
	p.wanted++
	p.announce()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// announce wakes those who wait for a condition. mu is held.
func (p *Plant) announce() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// wait lets others change the plant until something changed. mu is held, before and after.
func (p *Plant) wait() {
	changed := p.changed
	p.mu.Unlock()
	<-changed
	p.mu.Lock()
}

// after runs f under mu when ms have passed. f has to check for itself that its reason still holds.
func (p *Plant) after(ms int, f func()) {
	time.AfterFunc(time.Duration(ms)*time.Millisecond, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		f()
	})
}

// host and vm find by name. mu is held.
func (p *Plant) host(name string) *Host {
	for _, h := range p.hosts {
		if h.Name == name || h.Label != "" && h.Label == name {
			return h
		}
	}
	return nil
}

func (p *Plant) vm(name string) *VM {
	for _, v := range p.vms {
		if v.Name == name || v.InstanceUUID == name {
			return v
		}
	}
	return nil
}

// place puts a VM on a host and keeps the hosts' numbers of running VMs right. mu is held.
func (p *Plant) place(v *VM, h *Host) {
	if v.isOn() {
		if v.Host != nil {
			v.Host.running--
		}
		h.running++
	}
	v.Host = h
	p.touchVM(v)
}

// setPower is the one place where a VM's power changes. mu is held.
func (p *Plant) setPower(v *VM, power types.VirtualMachinePowerState) {
	was := v.isOn()
	v.Power = power
	v.epoch++
	switch {
	case was && !v.isOn():
		v.Host.running--
	case !was && v.isOn():
		v.Host.running++
	}
	p.touchVM(v)
}
