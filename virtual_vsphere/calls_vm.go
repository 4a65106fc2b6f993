package main

import (
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// vmCalls answers the calls on a VM that change the plant; everything else is the embedded simulator's.
// The embedded object has to be the first field: the simulator finds the properties through it.
type vmCalls struct {
	*simulator.VirtualMachine
	face *Face
	vm   *VM
}

// unreachable is what vCenter says of a VM whose host does not answer. It knows without asking, so there is no task.
func (c *vmCalls) unreachable() *soap.Fault {
	p := c.face.site.plant
	p.mu.Lock()
	defer p.mu.Unlock()
	return soapFault(c.vm.outOfReach(c.face.host == nil))
}

func soapFault(fault types.BaseMethodFault) *soap.Fault {
	if fault == nil {
		return nil
	}
	return simulator.Fault("", fault)
}

// ShutdownGuest returns at once, without a task: success is the power state, not the call.
func (c *vmCalls) ShutdownGuest(ctx *simulator.Context, _ *types.ShutdownGuest) soap.HasFault {
	body := new(methods.ShutdownGuestBody)
	if body.Fault_ = c.unreachable(); body.Fault_ != nil {
		return body
	}
	if body.Fault_ = soapFault(c.face.site.plant.shutDownGuest(c.vm)); body.Fault_ == nil {
		body.Res = new(types.ShutdownGuestResponse)
	}
	return body
}

// StandbyGuest is not part of the plant.
func (c *vmCalls) StandbyGuest(*simulator.Context, *types.StandbyGuest) soap.HasFault {
	return &methods.StandbyGuestBody{Fault_: simulator.Fault("", new(types.NotSupported))}
}

func (c *vmCalls) PowerOnVMTask(ctx *simulator.Context, _ *types.PowerOnVM_Task) soap.HasFault {
	body := new(methods.PowerOnVM_TaskBody)
	if body.Fault_ = c.unreachable(); body.Fault_ != nil {
		return body
	}
	body.Res = &types.PowerOnVM_TaskResponse{Returnval: c.face.startTask(c.VirtualMachine, "powerOn", "PowerOnVM_Task",
		func(*Job) types.BaseMethodFault { return c.face.site.plant.powerOn(c.vm) })}
	return body
}

func (c *vmCalls) PowerOffVMTask(ctx *simulator.Context, _ *types.PowerOffVM_Task) soap.HasFault {
	body := new(methods.PowerOffVM_TaskBody)
	if body.Fault_ = c.unreachable(); body.Fault_ != nil {
		return body
	}
	body.Res = &types.PowerOffVM_TaskResponse{Returnval: c.face.startTask(c.VirtualMachine, "powerOff", "PowerOffVM_Task",
		func(*Job) types.BaseMethodFault { return c.face.site.plant.powerOff(c.vm) })}
	return body
}

func (c *vmCalls) SuspendVMTask(ctx *simulator.Context, _ *types.SuspendVM_Task) soap.HasFault {
	body := new(methods.SuspendVM_TaskBody)
	if body.Fault_ = c.unreachable(); body.Fault_ != nil {
		return body
	}
	body.Res = &types.SuspendVM_TaskResponse{Returnval: c.face.startTask(c.VirtualMachine, "suspend", "SuspendVM_Task",
		func(*Job) types.BaseMethodFault { return c.face.site.plant.suspend(c.vm) })}
	return body
}

// ResetVMTask is not part of the plant.
func (c *vmCalls) ResetVMTask(*simulator.Context, *types.ResetVM_Task) soap.HasFault {
	return &methods.ResetVM_TaskBody{Fault_: simulator.Fault("", new(types.NotSupported))}
}

// TerminateVM kills the VM's process: no task, and no question is asked of the guest.
func (c *vmCalls) TerminateVM(ctx *simulator.Context, _ *types.TerminateVM) soap.HasFault {
	body := new(methods.TerminateVMBody)
	if body.Fault_ = c.unreachable(); body.Fault_ != nil {
		return body
	}
	if body.Fault_ = soapFault(c.face.site.plant.terminate(c.vm)); body.Fault_ == nil {
		body.Res = new(types.TerminateVMResponse)
	}
	return body
}

// AnswerVM takes one of the choices of the pending question.
func (c *vmCalls) AnswerVM(ctx *simulator.Context, r *types.AnswerVM) soap.HasFault {
	body := new(methods.AnswerVMBody)
	p := c.face.site.plant
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.vm.Question == "" || r.QuestionId != c.vm.asking().ID {
		body.Fault_ = simulator.Fault("", &types.InvalidArgument{InvalidProperty: "questionId"})
		return body
	}
	if !c.vm.asking().takes(r.AnswerChoice) {
		body.Fault_ = simulator.Fault("", &types.InvalidArgument{InvalidProperty: "answerChoice"})
		return body
	}
	c.vm.Question = ""
	p.touchVM(c.vm)
	p.journal.add(Entry{What: "vm.answered", Object: c.vm.Name, Host: c.vm.Host.Name, Detail: r.AnswerChoice})
	if c.vm.StopsLater && c.vm.isOn() && !c.vm.Hangs {
		c.vm.StopsLater = false
		p.beginStop(c.vm)
	}
	body.Res = new(types.AnswerVMResponse)
	return body
}

// MarkAsTemplate keeps the plant's word for it, which both faces show.
func (c *vmCalls) MarkAsTemplate(ctx *simulator.Context, _ *types.MarkAsTemplate) soap.HasFault {
	body := new(methods.MarkAsTemplateBody)
	p := c.face.site.plant
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.vm.Power != types.VirtualMachinePowerStatePoweredOff {
		body.Fault_ = simulator.Fault("", &types.InvalidPowerState{
			RequestedState: types.VirtualMachinePowerStatePoweredOff, ExistingState: c.vm.Power})
		return body
	}
	c.vm.Template = true
	p.touchVM(c.vm)
	body.Res = new(types.MarkAsTemplateResponse)
	return body
}

// questionID is the id of every question that an inventory does not word.
const questionID = "1"

// asking is the VM's pending question with its answers.
func (v *VM) asking() *Asking {
	if v.Asks != nil && v.Question == v.Asks.Text {
		return v.Asks
	}
	return &Asking{ID: questionID, Text: v.Question, Default: "1",
		Choices: []Choice{{"0", "button.uuid.cancel"}, {"1", "button.uuid.movedTheVM"}, {"2", "button.uuid.copiedTheVM"}}}
}

// info is a pending question as runtime.question shows it.
func (a *Asking) info() *types.VirtualMachineQuestionInfo {
	info := &types.VirtualMachineQuestionInfo{Id: a.ID, Text: a.Text}
	for i, c := range a.Choices {
		if c.Key == a.Default {
			info.Choice.DefaultIndex = int32(i)
		}
		info.Choice.ChoiceInfo = append(info.Choice.ChoiceInfo,
			&types.ElementDescription{Key: c.Key, Description: types.Description{Label: c.Label, Summary: c.Label}})
	}
	return info
}
