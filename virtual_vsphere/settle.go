package main

import (
	"strconv"
	"strings"
	"time"

	"github.com/vmware/govmomi/vim25/types"
)

// populateFrom fills the plant with an inventory's hosts and VMs.
func (s *Site) populateFrom(inv *Inventory) {
	p := s.plant
	s.addHosts(inv.Cluster, s.options.ESXiPrefix)
	names, _ := inv.others()
	for _, name := range names {
		s.addHosts(name, "")
	}
	next := map[string]int{}
	for _, told := range inv.Hosts {
		h := hostsOf(p.hosts, told.Cluster)[next[told.Cluster]]
		next[told.Cluster]++
		told.settle(h)
	}
	for _, told := range inv.VMs {
		p.vms = append(p.vms, s.settleVM(told))
	}
	for i, told := range inv.VMs {
		if told.FTPrimary != "" {
			v, primary := p.vms[i], p.vm(told.FTPrimary)
			v.FT, primary.FT, v.Pair, primary.Pair = 2, 1, primary, v
		}
	}
}

func (told InventoryHost) settle(h *Host) {
	if h.IP == "" {
		h.Name = told.Name
	}
	h.Label, h.On, h.Standby, h.Maintenance = told.Name, told.isOn(), told.Standby, told.Maintenance
	h.ShutdownHangs, h.BootMs, h.OffMs = told.ShutdownHang, told.BootMs, told.OffMs
	h.Disconnected = told.Connected != nil && !*told.Connected
	if told.Lockdown {
		h.Lockdown = "lockdownNormal"
	}
	if told.UUID != "" {
		h.UUID = told.UUID
	}
	if told.Serial != "" {
		h.Serial = told.Serial
	}
}

func (s *Site) settleVM(told InventoryVM) *VM {
	v := s.newVM(told.Name, s.plant.host(told.Host))
	v.Addresses, v.GuestID, v.ManagedBy, v.Asks, v.BootMs = told.Addresses, told.GuestID, told.ManagedBy, told.Question, told.BootMs
	if len(told.Addresses) > 0 {
		v.IP = told.Addresses[0]
	}
	if told.VCenter {
		s.dressAsVCenter(v)
		s.plant.vcenter.vm = v
	}
	if told.GuestMs != nil {
		v.GuestMs = *told.GuestMs
	}
	v.Template, v.Hangs, v.PowerHangs = told.Template, told.Hang, told.PowerHang
	v.HasTools = told.Tools == nil || *told.Tools
	v.ToolsRunning = v.HasTools && told.Power == "on"
	if told.Power != "on" {
		v.GuestState = guestNotRunning
		v.Power = types.VirtualMachinePowerStatePoweredOff
		if told.Power == "suspended" {
			v.Power = types.VirtualMachinePowerStateSuspended
		}
		v.BootTime = time.Time{}
	}
	switch {
	case told.Role == "vcls":
		v.IsVCLS, v.ExtraKey = true, vclsMarks[0][0]
		if v.ManagedBy == "" {
			v.ManagedBy = vclsMarks[0][1]
		}
		s.plant.vclsMade++
	case told.Role == "agent" && v.ManagedBy == "":
		v.ManagedBy = "com.vmware.vim.eam/agent"
	}
	if v.ManagedBy != "" && !strings.Contains(v.ManagedBy, "/") {
		v.ManagedBy += "/agent" // vSphere knows a type beside the extension
	}
	if told.Connection != "connected" {
		v.Connection = types.VirtualMachineConnectionState(told.Connection)
	}
	v.InstanceUUID = told.InstanceUUID
	return v
}

// attachTiers tags the VMs of an inventory, once vCenter shows them.
func (s *Site) attachTiers(inv *Inventory) error {
	if s.options.Standalone {
		return nil
	}
	for i, told := range inv.VMs {
		if told.Tier != nil {
			if err := s.attachTag(s.plant.vms[i], tierName, strconv.Itoa(*told.Tier)); err != nil {
				return err
			}
		}
	}
	return nil
}
