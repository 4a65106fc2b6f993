package main

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/vmware/govmomi/vim25/types"
)

// changeBonds sets what ties a VM to others: its fault tolerance pair, the solution that manages it, its connection.
// mu is held.
func (p *Plant) changeBonds(v *VM, q url.Values) error {
	if q.Has("ft") {
		pair := p.vm(q.Get("pair"))
		role := map[string]int32{"primary": 1, "secondary": 2}[q.Get("ft")]
		if role == 0 || pair == nil || pair == v {
			return fmt.Errorf("ft=primary|secondary with pair= of another VM")
		}
		v.FT, pair.FT, v.Pair, pair.Pair = role, 3-role, pair, v
		p.touchVM(pair)
	}
	if q.Has("managed-by") {
		if by := q.Get("managed-by"); by != "" && !strings.Contains(by, "/") {
			return fmt.Errorf("managed-by=EXTENSION/TYPE")
		}
		v.ManagedBy = q.Get("managed-by")
	}
	if q.Has("connection") {
		switch c := q.Get("connection"); c {
		case "connected":
			v.Connection = ""
		case "disconnected", "inaccessible", "orphaned", "invalid":
			v.Connection = types.VirtualMachineConnectionState(c)
		default:
			return fmt.Errorf("connection %q: connected, disconnected, inaccessible, orphaned or invalid", c)
		}
		p.journal.add(Entry{What: "vm.connection", Object: v.Name, Host: v.Host.Name, Detail: q.Get("connection")})
	}
	return nil
}

// outOfReach is what a face says to a call on a VM that it has lost; nil = it has it. mu is held.
func (v *VM) outOfReach(onVCenter bool) types.BaseMethodFault {
	switch {
	case !v.Host.answers() || onVCenter && v.Host.Disconnected:
		return new(types.HostNotConnected)
	case v.Connection == types.VirtualMachineConnectionStateDisconnected && onVCenter:
		return new(types.HostNotConnected)
	case v.Connection == types.VirtualMachineConnectionStateOrphaned && !onVCenter:
		return nil
	case v.Connection == "" || v.Connection == types.VirtualMachineConnectionStateDisconnected:
		return nil
	}
	return new(types.InvalidState)
}

// secondary refuses what only a pair's primary takes.
func (v *VM) secondary() types.BaseMethodFault {
	if v.FT != 2 {
		return nil
	}
	return &types.InvalidOperationOnSecondaryVm{InstanceUuid: v.InstanceUUID}
}

// followManager is what another solution does with its agent VMs, in its own time, when the host enters or leaves
// maintenance mode. mu is held.
func (p *Plant) followManager(h *Host, entering bool) {
	ms, epoch := p.timing.AgentStartMs, h.epoch
	if entering {
		ms = p.timing.AgentStopMs
	}
	if ms == 0 {
		p.switchAgents(h, !entering)
		return
	}
	p.after(ms, func() {
		if h.epoch == epoch && (entering || h.takesVMs()) {
			p.switchAgents(h, !entering)
		}
	})
}

// switchAgents brings back only what it has switched off itself. mu is held.
func (p *Plant) switchAgents(h *Host, on bool) {
	for _, v := range p.vms {
		switch {
		case v.Host != h || v.ManagedBy == "" || v.IsVCLS:
		case !on && v.isOn():
			v.ManagerOff = true
			p.turnOff(v, true, "by its manager")
		case on && v.ManagerOff && !v.isOn():
			v.ManagerOff = false
			p.turnOn(v)
		}
	}
}

// evacuate is DRS where it is automated: it moves what is on away from a host that is about to enter maintenance mode.
func (s *Site) evacuate(h *Host) {
	p := s.plant
	p.mu.Lock()
	c := p.clusters[h.Cluster]
	automated := s.options.DRSMoves && c != nil && c.DRSEnabled && c.DRSBehavior == string(types.DrsBehaviorFullyAutomated)
	var targets []*Host
	for _, other := range hostsOf(p.hosts, h.Cluster) {
		if other != h && other.takesVMs() {
			targets = append(targets, other)
		}
	}
	var leaving []string
	for _, v := range p.vms {
		if v.Host == h && v.isOn() && (v.ManagedBy == "" || v.IsVCLS) {
			leaving = append(leaving, v.Name)
		}
	}
	p.mu.Unlock()
	if !automated || len(targets) == 0 {
		return
	}
	for i, name := range leaving {
		_ = s.moveVM(url.Values{"vm": {name}, "host": {targets[i%len(targets)].Name}})
	}
}

// awaitAdmission holds maintenance mode up while HA's strict admission control would be violated by it: fewer than
// two hosts would be left. vCenter alone asks this.
func (s *Site) awaitAdmission(h *Host, timeoutS int32, cancelled func() bool) types.BaseMethodFault {
	began := time.Now()
	for {
		p := s.plant
		p.mu.Lock()
		c, left := p.clusters[h.Cluster], 0
		for _, other := range hostsOf(p.hosts, h.Cluster) {
			if other != h && other.takesVMs() {
				left++
			}
		}
		blocks := s.options.HAStrict && c != nil && c.HAEnabled && c.AdmissionControl && left < 2
		p.mu.Unlock()
		switch {
		case !blocks:
			return nil
		case cancelled():
			return new(types.RequestCanceled)
		case timeoutS > 0 && time.Since(began) > time.Duration(timeoutS)*time.Second:
			return new(types.Timedout)
		}
		time.Sleep(maintenancePatience)
	}
}
