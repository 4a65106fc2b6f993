package main

import (
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// hostCalls answers the calls on a host that change the plant.
type hostCalls struct {
	*simulator.HostSystem
	face *Face
	host *Host
}

func (c *hostCalls) unreachable() *soap.Fault {
	p := c.face.site.plant
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.host.answers() && (c.face.host != nil || !c.host.Disconnected) {
		return nil
	}
	return simulator.Fault("host is not connected", new(types.HostNotConnected))
}

func (c *hostCalls) EnterMaintenanceModeTask(ctx *simulator.Context, r *types.EnterMaintenanceMode_Task) soap.HasFault {
	body := new(methods.EnterMaintenanceMode_TaskBody)
	if body.Fault_ = c.unreachable(); body.Fault_ != nil {
		return body
	}
	timeout := r.Timeout
	body.Res = &types.EnterMaintenanceMode_TaskResponse{Returnval: c.face.startTask(c.HostSystem, "enterMaintenanceMode",
		"EnterMaintenanceMode_Task", func(j *Job) types.BaseMethodFault {
			if c.face.host == nil {
				if fault := c.face.site.awaitAdmission(c.host, timeout, j.cancelled); fault != nil {
					return fault
				}
				c.face.site.evacuate(c.host)
			}
			return c.face.site.plant.enterMaintenance(c.host, timeout, j.cancelled)
		})}
	return body
}

func (c *hostCalls) ExitMaintenanceModeTask(ctx *simulator.Context, _ *types.ExitMaintenanceMode_Task) soap.HasFault {
	body := new(methods.ExitMaintenanceMode_TaskBody)
	if body.Fault_ = c.unreachable(); body.Fault_ != nil {
		return body
	}
	body.Res = &types.ExitMaintenanceMode_TaskResponse{Returnval: c.face.startTask(c.HostSystem, "exitMaintenanceMode",
		"ExitMaintenanceMode_Task", func(*Job) types.BaseMethodFault { return c.face.site.plant.exitMaintenance(c.host) })}
	return body
}

// ShutdownHostTask succeeds on vCenter when vCenter loses the host. On the host's own face nobody is left to say so.
func (c *hostCalls) ShutdownHostTask(ctx *simulator.Context, r *types.ShutdownHost_Task) soap.HasFault {
	body := new(methods.ShutdownHost_TaskBody)
	if body.Fault_ = c.unreachable(); body.Fault_ != nil {
		return body
	}
	p := c.face.site.plant
	if body.Fault_ = soapFault(p.mayShutDown(c.host, r.Force)); body.Fault_ != nil {
		return body
	}
	body.Res = &types.ShutdownHost_TaskResponse{Returnval: c.face.startTask(c.HostSystem, "shutdownHost",
		"ShutdownHost_Task", func(*Job) types.BaseMethodFault {
			<-p.shutDown(c.host)
			return nil
		})}
	return body
}

// ReconnectHostTask finds what is there: a host that answers is connected already.
func (c *hostCalls) ReconnectHostTask(ctx *simulator.Context, _ *types.ReconnectHost_Task) soap.HasFault {
	p := c.face.site.plant
	return &methods.ReconnectHost_TaskBody{Res: &types.ReconnectHost_TaskResponse{Returnval: c.face.startTask(c.HostSystem,
		"reconnectHost", "ReconnectHost_Task", func(*Job) types.BaseMethodFault {
			p.mu.Lock()
			defer p.mu.Unlock()
			if !c.host.answers() {
				return new(types.NoHost)
			}
			if c.host.Disconnected {
				c.host.Disconnected = false
				p.note("host.reconnected", c.host.Name, c.host.Name)
				p.showAnew(c.host)
			}
			return nil
		})}}
}

// DisconnectHostTask is not part of the plant.
func (c *hostCalls) DisconnectHostTask(*simulator.Context, *types.DisconnectHost_Task) soap.HasFault {
	return &methods.DisconnectHost_TaskBody{Fault_: simulator.Fault("", new(types.NotSupported))}
}
