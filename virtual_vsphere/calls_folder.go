package main

import (
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// folderCalls answers RegisterVM on a host's own face: the way to bring back a VM (vCenter's above all) whose host
// is dead. All hosts share the datastore.
type folderCalls struct {
	*simulator.Folder
	face *Face
}

func (c *folderCalls) RegisterVMTask(ctx *simulator.Context, r *types.RegisterVM_Task) soap.HasFault {
	path := r.Path
	return &methods.RegisterVM_TaskBody{Res: &types.RegisterVM_TaskResponse{Returnval: c.face.startTaskFor(c.Folder,
		"registerVm", "RegisterVM_Task", func(*Job) (types.AnyType, types.BaseMethodFault) {
			return c.face.site.register(c.face, path)
		})}}
}

// register moves a VM to the host of a face. It is refused while the VM's present host is alive: that host holds the
// lock on the VM's files.
func (s *Site) register(f *Face, path string) (types.AnyType, types.BaseMethodFault) {
	s.moving.Lock()
	defer s.moving.Unlock()
	p := s.plant
	p.mu.Lock()
	var v *VM
	for _, candidate := range p.vms {
		if candidate.Path == path {
			v = candidate
		}
	}
	var fault types.BaseMethodFault
	switch {
	case v == nil:
		fault = &types.NotFound{}
	case v.Host == f.host || v.Host.answers() || v.isOn(): // on, on a host that is only isolated
		fault = &types.AlreadyExists{Name: v.Name}
	}
	p.mu.Unlock()
	if fault != nil {
		return nil, fault
	}

	s.move(v, f.host)
	p.mu.Lock()
	p.note("vm.registered", v.Name, f.host.Name)
	p.mu.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.vmObject[v].Self, nil
}

// move takes a VM to another host, on every face that shows either of them. moving is held.
func (s *Site) move(v *VM, to *Host) {
	p := s.plant
	if to.face != nil {
		to.face.addVM(v)
	}
	p.mu.Lock()
	from := v.Host
	p.place(v, to)
	p.mu.Unlock()
	if from.face != nil {
		from.face.removeVM(v)
	}
	s.vcenter.moveVM(v, from, to)
}
