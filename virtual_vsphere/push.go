package main

import (
	"strings"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// vmView is a VM as one face shows it.
type vmView struct {
	power      types.VirtualMachinePowerState
	connection types.VirtualMachineConnectionState
	boot       time.Time
	cleanOff   bool
	tools      string
	toolsOK    types.VirtualMachineToolsStatus
	guest      string
	template   bool
	question   string
	asking     *Asking
	extra      string
	managedBy  string
	ft         int32
	pair       string
	host       types.ManagedObjectReference
}

// showVM is the plant's VM as vCenter (through the connection to its host) or its host itself sees it. While its host
// is out of reach vCenter keeps showing the last power state that it knew. mu of the plant is held.
func showVM(v *VM, f *Face, host types.ManagedObjectReference, last vmView) vmView {
	if f.host == nil && !v.Host.seen() {
		last.connection = types.VirtualMachineConnectionStateDisconnected
		last.host = host
		return last
	}
	view := vmView{
		power: v.Power, connection: types.VirtualMachineConnectionStateConnected, boot: v.BootTime,
		cleanOff: v.CleanOff, guest: v.GuestState, template: v.Template, question: v.Question, host: host,
		tools: string(types.VirtualMachineToolsRunningStatusGuestToolsNotRunning), toolsOK: types.VirtualMachineToolsStatusToolsNotRunning,
	}
	if v.Question != "" {
		view.asking = v.asking()
	}
	view.extra, view.managedBy, view.ft = v.ExtraKey, v.ManagedBy, v.FT
	if v.Pair != nil {
		view.pair = v.InstanceUUID + " " + v.Pair.InstanceUUID
	}
	if v.outOfReach(f.host == nil) != nil && v.Connection != "" {
		view.connection = v.Connection
	}
	if v.ToolsRunning {
		view.tools, view.toolsOK = string(types.VirtualMachineToolsRunningStatusGuestToolsRunning), types.VirtualMachineToolsStatusToolsOk
	} else if !v.HasTools {
		view.toolsOK = types.VirtualMachineToolsStatusToolsNotInstalled
	}
	return view
}

// changes is the difference between two views, as properties.
func (now vmView) changes(was vmView) []types.PropertyChange {
	var out []types.PropertyChange
	set := func(differs bool, val any, names ...string) {
		if differs {
			for _, name := range names {
				out = append(out, types.PropertyChange{Name: name, Val: val})
			}
		}
	}
	set(now.host != was.host, now.host, "runtime.host", "summary.runtime.host")
	set(now.connection != was.connection, now.connection, "runtime.connectionState", "summary.runtime.connectionState")
	set(now.tools != was.tools, now.tools, "guest.toolsRunningStatus", "summary.guest.toolsRunningStatus")
	set(now.toolsOK != was.toolsOK, now.toolsOK, "guest.toolsStatus", "summary.guest.toolsStatus")
	running := now.tools == string(types.VirtualMachineToolsRunningStatusGuestToolsRunning)
	set(now.tools != was.tools, running, "guest.guestOperationsReady", "guest.guestStateChangeSupported")
	set(now.guest != was.guest, now.guest, "guest.guestState")
	set(now.template != was.template, now.template, "config.template", "summary.config.template")
	set(now.cleanOff != was.cleanOff, now.cleanOff, "runtime.cleanPowerOff", "summary.runtime.cleanPowerOff")
	if !now.boot.Equal(was.boot) {
		var boot any
		if !now.boot.IsZero() {
			boot = now.boot
		}
		set(true, boot, "runtime.bootTime", "summary.runtime.bootTime")
	}
	if now.question != was.question {
		var question any
		if now.question != "" {
			question = *now.asking.info()
		}
		set(true, question, "runtime.question", "summary.runtime.question")
	}
	set(now.extra != was.extra, []types.BaseOptionValue{&types.OptionValue{Key: now.extra, Value: "true"}}, "config.extraConfig")
	if now.managedBy != was.managedBy {
		var by any
		if extension, kind, ok := strings.Cut(now.managedBy, "/"); ok {
			by = types.ManagedByInfo{ExtensionKey: extension, Type: kind}
		}
		set(true, by, "config.managedBy", "summary.config.managedBy")
	}
	if now.ft != was.ft || now.pair != was.pair {
		info := &types.FaultToleranceConfigInfo{Role: now.ft, InstanceUuids: strings.Fields(now.pair)}
		set(true, info, "config.ftInfo", "summary.config.ftInfo")
	}
	// Last, so that a client that waits for the power state finds the rest already there.
	set(now.power != was.power, now.power, "runtime.powerState", "summary.runtime.powerState")
	return out
}

// hostView is a host as vCenter shows it; on its own face a host is always connected.
type hostView struct {
	face        *Face
	connection  types.HostSystemConnectionState
	power       types.HostSystemPowerState
	maintenance bool
	boot        time.Time
	certificate string
	lockdown    types.HostLockdownMode
}

func showHost(h *Host, f *Face) hostView {
	view := hostView{face: f, connection: types.HostSystemConnectionStateConnected,
		power: types.HostSystemPowerStatePoweredOn, maintenance: h.Maintenance, boot: h.BootTime, certificate: h.Cert}
	view.lockdown = types.HostLockdownModeLockdownDisabled
	if h.Lockdown != "" {
		view.lockdown = types.HostLockdownMode(h.Lockdown)
	}
	if f.host == nil {
		view.certificate = h.KnownCert
	}
	if f.host == nil && !h.answers() {
		view.connection, view.power = types.HostSystemConnectionStateNotResponding, types.HostSystemPowerStateUnknown
	}
	if f.host == nil && h.Disconnected {
		view.connection, view.power = types.HostSystemConnectionStateDisconnected, types.HostSystemPowerStateUnknown
	}
	if h.Standby {
		view.power = types.HostSystemPowerStateStandBy
	}
	return view
}

func (now hostView) apply(ctx *simulator.Context, o *simulator.HostSystem) {
	var changes []types.PropertyChange
	set := func(differs bool, val any, name string) {
		if differs {
			changes = append(changes, types.PropertyChange{Name: "runtime." + name, Val: val},
				types.PropertyChange{Name: "summary.runtime." + name, Val: val})
		}
	}
	ctx.WithLock(o, func() {
		was := &o.Runtime
		set(was.InMaintenanceMode != now.maintenance, now.maintenance, "inMaintenanceMode")
		set(was.BootTime == nil || !was.BootTime.Equal(now.boot), now.boot, "bootTime")
		set(was.PowerState != now.power, now.power, "powerState")
		if o.Config != nil && o.Config.LockdownMode != now.lockdown {
			changes = append(changes, types.PropertyChange{Name: "config.lockdownMode", Val: now.lockdown})
		}
		dressCertificate(now.certificate, o)
		set(was.ConnectionState != now.connection, now.connection, "connectionState")
		if len(changes) > 0 {
			ctx.Update(o, changes)
		}
	})
}

// push shows what changed on every face, in one goroutine, so that no older state can overwrite a newer one.
func (s *Site) push(stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case <-s.plant.wake:
			s.pushOnce()
		}
	}
}

func (s *Site) pushOnce() {
	p := s.plant
	p.mu.Lock()
	upTo := p.wanted
	var work []func()
	for h := range p.dirtyHosts {
		for _, f := range s.facesOf(h) {
			if o := f.hostObject(h); o != nil {
				view, ctx := showHost(h, f), f.newContext()
				work = append(work, func() { view.apply(ctx, o) })
			}
		}
	}
	for v := range p.dirtyVMs {
		for _, f := range s.facesOf(v.Host) {
			if w := f.vmWork(v); w != nil {
				work = append(work, w)
			}
		}
	}
	clear(p.dirtyHosts)
	clear(p.dirtyVMs)
	p.mu.Unlock()

	for _, w := range work {
		w()
	}

	p.mu.Lock()
	p.pushed = upTo
	p.announce()
	p.mu.Unlock()
}

// vmWork compares a VM with what this face shows. mu of the plant is held; the answer runs without it.
func (f *Face) vmWork(v *VM) func() {
	f.mu.Lock()
	defer f.mu.Unlock()
	object := f.vmObject[v]
	if object == nil {
		return nil
	}
	was := f.shown[v]
	now := showVM(v, f, f.hostRef(v.Host), was)
	changes := now.changes(was)
	if len(changes) == 0 {
		return nil
	}
	f.shown[v] = now
	return func() {
		ctx := f.newContext()
		ctx.WithLock(object, func() { ctx.Update(object, changes) })
	}
}

// flush waits until every face shows the plant as it is now. No lock may be held.
func (p *Plant) flush() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for upTo := p.wanted; p.pushed < upTo; {
		p.wait()
	}
}
