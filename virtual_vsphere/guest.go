package main

import (
	"time"

	"github.com/vmware/govmomi/vim25/types"
)

// The states of guest.guestState that the plant uses.
const (
	guestRunning      = "running"
	guestShuttingDown = "shuttingDown"
	guestNotRunning   = "notRunning"
)

// shutDownGuest asks the guest to stop. It only ever asks: the answer is the power state some time later, or never.
func (p *Plant) shutDownGuest(v *VM) types.BaseMethodFault {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !v.isOn() {
		return &types.InvalidPowerState{RequestedState: types.VirtualMachinePowerStatePoweredOn, ExistingState: v.Power}
	}
	if !v.ToolsRunning {
		return new(types.ToolsUnavailable)
	}
	if v.Hangs || v.GuestState == guestShuttingDown {
		return nil
	}
	v.GuestState = guestShuttingDown
	p.touchVM(v)
	ms, epoch := p.timing.GuestMs, v.epoch
	if v.GuestMs >= 0 {
		ms = v.GuestMs
	}
	p.after(ms, func() {
		if v.epoch == epoch {
			p.turnOff(v, true)
		}
	})
	return nil
}

// powerOff cuts the VM's power. forced is TerminateVM, which also works where PowerOff would hang.
func (p *Plant) powerOff(v *VM) types.BaseMethodFault {
	p.mu.Lock()
	defer p.mu.Unlock()
	if v.Power == types.VirtualMachinePowerStatePoweredOff {
		return &types.InvalidPowerState{RequestedState: types.VirtualMachinePowerStatePoweredOff, ExistingState: v.Power}
	}
	p.turnOff(v, false)
	return nil
}

// powerOn starts the VM where it is registered; the host decides whether it may.
func (p *Plant) powerOn(v *VM) types.BaseMethodFault {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case v.isOn():
		return &types.InvalidPowerState{RequestedState: types.VirtualMachinePowerStatePoweredOn, ExistingState: v.Power}
	case v.Template:
		return new(types.NotSupported)
	case !v.Host.answers():
		return new(types.HostNotConnected)
	case v.Host.Maintenance || v.Host.Stopping:
		return new(types.InvalidState)
	}
	p.turnOn(v)
	return nil
}

// suspend writes the guest to disk. Maintenance mode tolerates a suspended VM.
func (p *Plant) suspend(v *VM) types.BaseMethodFault {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !v.isOn() {
		return &types.InvalidPowerState{RequestedState: types.VirtualMachinePowerStatePoweredOn, ExistingState: v.Power}
	}
	p.stop(v, types.VirtualMachinePowerStateSuspended)
	p.note("vm.suspended", v.Name, v.Host.Name)
	return nil
}

// turnOn is the change itself. mu is held.
func (p *Plant) turnOn(v *VM) {
	v.epoch++
	v.Power, v.GuestState, v.ToolsRunning = types.VirtualMachinePowerStatePoweredOn, guestNotRunning, false
	v.BootTime = time.Now()
	p.touchVM(v)
	p.note("vm.on", v.Name, v.Host.Name)
	epoch := v.epoch
	p.after(p.timing.VMBootMs, func() {
		if v.epoch != epoch {
			return
		}
		if v.HasTools {
			v.ToolsRunning, v.GuestState = true, guestRunning
			p.touchVM(v)
			p.note("vm.tools", v.Name, v.Host.Name)
		}
	})
	if v == p.vcenter.vm {
		p.bootVCenter()
	}
}

// turnOff is the change itself; clean says that the guest did it. mu is held.
func (p *Plant) turnOff(v *VM, clean bool) {
	p.stop(v, types.VirtualMachinePowerStatePoweredOff)
	v.CleanOff = clean
	p.note("vm.off", v.Name, v.Host.Name)
	if v == p.vcenter.vm {
		p.killVCenter()
	}
}

func (p *Plant) stop(v *VM, power types.VirtualMachinePowerState) {
	v.epoch++
	v.Power, v.GuestState, v.ToolsRunning = power, guestNotRunning, false
	v.Question = ""
	v.BootTime = time.Time{}
	p.touchVM(v)
}
