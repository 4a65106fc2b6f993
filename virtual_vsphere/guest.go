package main

import (
	"time"

	"github.com/vmware/govmomi/vim25/types"
)

// movedQuestion is what ESXi asks at the first power-on of a VM that it finds on another host than before.
const movedQuestion = "msg.uuid.altered:This virtual machine might have been moved or copied."

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
	if fault := v.secondary(); fault != nil {
		return fault
	}
	if !v.ToolsRunning {
		return new(types.ToolsUnavailable)
	}
	if v.Asks != nil && v.Question == "" && v.GuestState != guestShuttingDown {
		v.Question = v.Asks.Text
		p.touchVM(v)
		p.journal.add(Entry{What: "vm.question", Object: v.Name, Host: v.Host.Name, Detail: v.Question})
	}
	v.StopsLater = v.Question != ""
	if v.Hangs || v.Question != "" || v.GuestState == guestShuttingDown {
		return nil // accepted, and nothing comes of it
	}
	p.beginStop(v)
	return nil
}

// beginStop lets the guest stop in its own time. mu is held.
func (p *Plant) beginStop(v *VM) {
	v.GuestState = guestShuttingDown
	p.touchVM(v)
	ms, epoch := p.timing.GuestMs, v.epoch
	if v.GuestMs >= 0 {
		ms = v.GuestMs
	}
	p.after(ms, func() {
		if v.epoch == epoch {
			p.turnOff(v, true, "shut down")
		}
	})
}

// powerOff cuts the VM's power; where that hangs it waits until somebody terminates the VM. No lock is held.
func (p *Plant) powerOff(v *VM) types.BaseMethodFault {
	p.mu.Lock()
	defer p.mu.Unlock()
	if fault := v.secondary(); fault != nil {
		return fault
	}
	for wasOn := v.isOn(); wasOn && v.PowerHangs; p.wait() {
		if !v.isOn() {
			return nil
		}
	}
	return p.cutVM(v, "powered off")
}

// terminate kills the VM's process, which also works where PowerOff hangs.
func (p *Plant) terminate(v *VM) types.BaseMethodFault {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cutVM(v, "killed")
}

func (p *Plant) cutVM(v *VM, how string) types.BaseMethodFault {
	if v.Power == types.VirtualMachinePowerStatePoweredOff {
		return &types.InvalidPowerState{RequestedState: types.VirtualMachinePowerStatePoweredOff, ExistingState: v.Power}
	}
	p.turnOff(v, false, how)
	return nil
}

// powerOn starts the VM where it is registered; the host decides whether it may.
func (p *Plant) powerOn(v *VM) types.BaseMethodFault {
	p.mu.Lock()
	defer p.mu.Unlock()
	if fault := v.secondary(); fault != nil {
		return fault
	}
	if v.AsksMoved && v.Host.answers() && !v.Host.Maintenance && !v.isOn() {
		v.AsksMoved = false
		v.Question = movedQuestion
		p.touchVM(v)
		p.note("vm.asked", v.Name, v.Host.Name)
		for v.Question != "" {
			p.wait() // until it is answered, or its host dies
		}
	}
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
	p.turnSuspended(v)
	return nil
}

// turnOn is the change itself. mu is held.
func (p *Plant) turnOn(v *VM) {
	v.GuestState, v.ToolsRunning, v.BootTime = guestNotRunning, false, time.Now()
	p.setPower(v, types.VirtualMachinePowerStatePoweredOn)
	p.note("vm.on", v.Name, v.Host.Name)
	if v.FT == 1 && !v.Pair.isOn() && v.Pair.Host.takesVMs() {
		p.turnOn(v.Pair)
	}
	epoch := v.epoch
	p.after(own(v.BootMs, p.timing.VMBootMs), func() {
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

// turnOff is the change itself; clean says that the guest did it, how what became of it. mu is held.
func (p *Plant) turnOff(v *VM, clean bool, how string) {
	p.stop(v, types.VirtualMachinePowerStatePoweredOff)
	v.CleanOff = clean
	p.journal.add(Entry{What: "vm.off", Object: v.Name, Host: v.Host.Name, Detail: how})
	if v.FT == 1 && v.Pair.isOn() {
		p.turnOff(v.Pair, clean, "with its primary")
	}
	if v == p.vcenter.vm {
		p.killVCenter()
	}
}

// turnSuspended is the change itself. mu is held.
func (p *Plant) turnSuspended(v *VM) {
	p.stop(v, types.VirtualMachinePowerStateSuspended)
	p.note("vm.suspended", v.Name, v.Host.Name)
	if v == p.vcenter.vm {
		p.killVCenter()
	}
}

func (p *Plant) stop(v *VM, power types.VirtualMachinePowerState) {
	v.GuestState, v.ToolsRunning, v.Question, v.BootTime = guestNotRunning, false, "", time.Time{}
	v.StopsLater = false
	p.setPower(v, power)
}
