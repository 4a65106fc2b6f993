package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"

	"github.com/vmware/govmomi/vim25/types"
)

// Inventory is a plant of named hosts and VMs, in place of -hosts and -vms. See README.md.
type Inventory struct {
	Cluster  string           `json:"cluster"`
	Hosts    []InventoryHost  `json:"hosts"`
	VMs      []InventoryVM    `json:"vms"`
	Settings InventorySetting `json:"settings"`
	VSAN     bool             `json:"vsan"`
}

// InventoryHost is a host; one of another cluster than the inventory's has no direct face and stays untouched.
type InventoryHost struct {
	Name         string `json:"name"`
	Cluster      string `json:"cluster"`
	UUID         string `json:"uuid"`
	Serial       string `json:"serial"`
	On           *bool  `json:"on"`
	Maintenance  bool   `json:"maintenance"`
	Standby      bool   `json:"standby"`
	Lockdown     bool   `json:"lockdown"`
	Connected    *bool  `json:"connected"`
	ShutdownHang bool   `json:"shutdown_hang"`
	BootMs       *int   `json:"boot_ms"`
	OffMs        *int   `json:"off_ms"`
}

// InventoryVM is a VM; what it does not say is as for a VM of -vms.
type InventoryVM struct {
	Name         string   `json:"name"`
	Host         string   `json:"host"`
	Power        string   `json:"power"`
	Tools        *bool    `json:"tools"`
	GuestMs      *int     `json:"guest_ms"`
	BootMs       *int     `json:"boot_ms"`
	Template     bool     `json:"template"`
	Hang         bool     `json:"hang"`
	PowerHang    bool     `json:"power_hang"`
	VCenter      bool     `json:"vcenter"`
	Tier         *int     `json:"tier"`
	InstanceUUID string   `json:"instance_uuid"`
	Addresses    []string `json:"addresses"`
	GuestID      string   `json:"guest_id"`
	Role         string   `json:"role"`
	ManagedBy    string   `json:"managed_by"`
	FTPrimary    string   `json:"ft_primary"`
	Connection   string   `json:"connection"`
	Question     *Asking  `json:"question"`
}

// InventorySetting is what the cluster is set to; what is left out is as by default.
type InventorySetting struct {
	HA               *bool  `json:"ha"`
	AdmissionControl *bool  `json:"admission_control"`
	DRS              *bool  `json:"drs"`
	DRSBehavior      string `json:"drs_behavior"`
	DRSOverrides     *bool  `json:"drs_overrides"`
	DPM              *bool  `json:"dpm"`
}

// Asking is a question of a VM, with the answers that it takes.
type Asking struct {
	ID      string   `json:"id"`
	Text    string   `json:"text"`
	Default string   `json:"default"`
	Choices []Choice `json:"choices"`
}

// Choice is one answer to a question.
type Choice struct {
	Key   string `json:"key"`
	Label string `json:"label"`
}

func (a *Asking) takes(key string) bool {
	return slices.ContainsFunc(a.Choices, func(c Choice) bool { return c.Key == key })
}

// readInventory reads a file; an error names the place in it.
func readInventory(file string) (*Inventory, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	inv := new(Inventory)
	if err := decoder.Decode(inv); err != nil {
		return nil, fmt.Errorf("%s, near byte %d: %w", file, decoder.InputOffset(), err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, fmt.Errorf("%s: something follows the inventory", file)
	}
	if err := inv.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return inv, nil
}

func (inv *Inventory) check() error {
	if inv.Cluster == "" {
		return fmt.Errorf("cluster: a name is needed")
	}
	hosts, uuids := map[string]*InventoryHost{}, map[string]bool{}
	own := 0
	for i := range inv.Hosts {
		h := &inv.Hosts[i]
		at := "hosts[" + strconv.Itoa(i) + "] " + h.Name
		if h.Cluster == "" {
			h.Cluster = inv.Cluster
		}
		if h.Cluster == inv.Cluster {
			own++
		}
		switch {
		case h.Name == "" || hosts[h.Name] != nil:
			return fmt.Errorf("%s: a name of its own is needed", at)
		case h.UUID != "" && uuids[h.UUID]:
			return fmt.Errorf("%s: uuid %s is another host's", at, h.UUID)
		case h.Standby && h.On != nil && *h.On:
			return fmt.Errorf("%s: in standby and on", at)
		case negative(h.BootMs) || negative(h.OffMs):
			return fmt.Errorf("%s: a duration is below 0", at)
		}
		hosts[h.Name], uuids[h.UUID] = h, true
	}
	if own == 0 {
		return fmt.Errorf("hosts: none is of cluster %s", inv.Cluster)
	}
	switch inv.Settings.DRSBehavior {
	case "", "manual", "partiallyAutomated", "fullyAutomated":
	default:
		return fmt.Errorf("settings.drs_behavior %q: manual, partiallyAutomated or fullyAutomated", inv.Settings.DRSBehavior)
	}
	return inv.checkVMs(hosts)
}

func (h *InventoryHost) isOn() bool { return !h.Standby && (h.On == nil || *h.On) }

func (inv *Inventory) checkVMs(hosts map[string]*InventoryHost) error {
	names, uuids, vcenter := map[string]*InventoryVM{}, map[string]bool{}, ""
	for i := range inv.VMs {
		v := &inv.VMs[i]
		at := "vms[" + strconv.Itoa(i) + "] " + v.Name
		h := hosts[v.Host]
		switch {
		case v.Name == "" || names[v.Name] != nil:
			return fmt.Errorf("%s: a name of its own is needed", at)
		case h == nil:
			return fmt.Errorf("%s: there is no host %q", at, v.Host)
		case v.InstanceUUID != "" && uuids[v.InstanceUUID]:
			return fmt.Errorf("%s: instance_uuid %s is another VM's", at, v.InstanceUUID)
		case !slices.Contains([]string{"", "on", "off", "suspended"}, v.Power):
			return fmt.Errorf("%s: power %q: on, off or suspended", at, v.Power)
		case v.Power == "on" && !h.isOn():
			return fmt.Errorf("%s: on, but its host %s is off", at, v.Host)
		case v.Power == "on" && v.Template:
			return fmt.Errorf("%s: on, and a template", at)
		case !slices.Contains([]string{"", "workload", "vcls", "agent", "ft_secondary"}, v.Role):
			return fmt.Errorf("%s: role %q: workload, vcls, agent or ft_secondary", at, v.Role)
		case !slices.Contains([]string{"", "connected", "disconnected", "inaccessible", "orphaned", "invalid"}, v.Connection):
			return fmt.Errorf("%s: connection %q", at, v.Connection)
		case (v.Role == "ft_secondary") != (v.FTPrimary != ""):
			return fmt.Errorf("%s: role ft_secondary and ft_primary come together", at)
		case negative(v.GuestMs) || negative(v.BootMs):
			return fmt.Errorf("%s: a duration is below 0", at)
		case v.VCenter && vcenter != "":
			return fmt.Errorf("%s: vcenter is %s already", at, vcenter)
		case v.Question != nil && (v.Question.ID == "" || v.Question.Text == "" || len(v.Question.Choices) == 0):
			return fmt.Errorf("%s: question: id, text and choices are needed", at)
		case v.Question != nil && v.Question.Default != "" && !v.Question.takes(v.Question.Default):
			return fmt.Errorf("%s: question.default %q is none of the choices", at, v.Question.Default)
		}
		if v.Power == "" {
			v.Power = map[bool]string{true: "on", false: "off"}[h.isOn() && !v.Template]
		}
		if v.VCenter {
			vcenter = v.Name
		}
		names[v.Name], uuids[v.InstanceUUID] = v, true
	}
	for i, v := range inv.VMs {
		if primary := names[v.FTPrimary]; v.FTPrimary != "" && (primary == nil || primary.FTPrimary != "") {
			return fmt.Errorf("vms[%d] %s: ft_primary %q is no VM that could be one", i, v.Name, v.FTPrimary)
		}
	}
	return nil
}

func negative(ms *int) bool { return ms != nil && *ms < 0 }

// apply lets the options say what the inventory says.
func (inv *Inventory) apply(o *Options) {
	o.Cluster, o.Hosts, o.VMs, o.Vcls = inv.Cluster, 0, len(inv.VMs), 0
	o.VSAN = o.VSAN || inv.VSAN
	for _, h := range inv.Hosts {
		if h.Cluster == inv.Cluster {
			o.Hosts++
		}
	}
	o.VCenterVM = "none"
	for _, v := range inv.VMs {
		if v.VCenter {
			o.VCenterVM = v.Name
		}
		if v.Role == "vcls" {
			o.Vcls++
		}
	}
}

// others are the further clusters with their hosts, in the file's order.
func (inv *Inventory) others() (names []string, hosts map[string][]string) {
	hosts = map[string][]string{}
	for _, h := range inv.Hosts {
		if h.Cluster != inv.Cluster {
			if hosts[h.Cluster] == nil {
				names = append(names, h.Cluster)
			}
			hosts[h.Cluster] = append(hosts[h.Cluster], h.Name)
		}
	}
	return names, hosts
}

// configure writes the settings into a cluster's configuration.
func (set InventorySetting) configure(c *types.ClusterConfigInfoEx) {
	for _, pair := range []struct{ from, to **bool }{
		{&set.HA, &c.DasConfig.Enabled}, {&set.AdmissionControl, &c.DasConfig.AdmissionControlEnabled},
		{&set.DRS, &c.DrsConfig.Enabled}, {&set.DPM, &c.DpmConfigInfo.Enabled},
		{&set.DRSOverrides, &c.DrsConfig.EnableVmBehaviorOverrides},
	} {
		if *pair.from != nil {
			*pair.to = *pair.from
		}
	}
	if set.DRSBehavior != "" {
		c.DrsConfig.DefaultVmBehavior = types.DrsBehavior(set.DRSBehavior)
	}
}
