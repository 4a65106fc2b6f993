package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// vclsPatience is how often vCenter looks after its vCLS VMs.
const vclsPatience = 20 * time.Millisecond

// vclsMarks are the three ways by which a vCLS VM is recognised: extraConfig key, or extension and type.
var vclsMarks = [][2]string{{"HDCS.agent", "com.vmware.vim.eam/cluster-agent"}, {"vCLSCRX.agent", ""}, {"", "VirtualCenter/vcls-entity"}}

// tendVCLS is vCenter's care for its vCLS VMs: it spawns, restarts and, in retreat mode, removes them, each a while
// after it became due. Without vCenter nobody does.
func (s *Site) tendVCLS() {
	var due time.Time
	p := s.plant
	for {
		select {
		case <-s.done.Done():
			return
		case <-time.After(vclsPatience):
		}
		p.mu.Lock()
		have := p.vclsVMs()
		wrong := len(have) != s.options.Vcls
		for _, v := range have {
			wrong = wrong || !v.isOn()
		}
		if p.vclsRetreats {
			wrong = len(have) > 0
		}
		patience := time.Duration(p.timing.VclsMs) * time.Millisecond
		active, retreats := p.vcenter.Answering && !p.vcenter.Cut, p.vclsRetreats
		p.mu.Unlock()
		if !wrong || !active {
			due = time.Time{}
			continue
		}
		if due.IsZero() {
			due = time.Now().Add(patience)
		}
		if time.Now().Before(due) {
			continue
		}
		due = time.Time{}
		if retreats {
			for _, v := range have {
				s.removeVCLS(v)
			}
			continue
		}
		p.mu.Lock()
		for _, v := range have {
			if !v.isOn() && v.Host.takesVMs() {
				p.turnOn(v)
			}
		}
		p.mu.Unlock()
		for n := len(have); n < s.options.Vcls; n++ {
			s.spawnVCLS()
		}
	}
}

// vclsVMs are those that exist. mu is held.
func (p *Plant) vclsVMs() []*VM {
	var out []*VM
	for _, v := range p.vms {
		if v.IsVCLS {
			out = append(out, v)
		}
	}
	return out
}

// takesVMs tells whether a VM may be started there.
func (h *Host) takesVMs() bool { return h.seen() && !h.Maintenance && !h.Stopping }

// newVCLS is a further vCLS VM, with a UUID that none had before; nil = no host takes it. mu is held.
func (s *Site) newVCLS() *VM {
	p := s.plant
	var hosts []*Host
	for _, h := range hostsOf(p.hosts, p.cluster) {
		if h.takesVMs() {
			hosts = append(hosts, h)
		}
	}
	if len(hosts) == 0 {
		return nil
	}
	n := p.vclsMade
	p.vclsMade++
	v := s.newVM(fmt.Sprintf("vCLS-%s", stableUUID("vcls", fmt.Sprint(n))), hosts[n%len(hosts)])
	v.IsVCLS, v.ExtraKey, v.ManagedBy = true, vclsMarks[n%3][0], vclsMarks[n%3][1]
	v.InstanceUUID, v.BIOSUUID = stableUUID("instance", v.Name), stableUUID("bios", v.Name)
	v.Path = fmt.Sprintf("[LocalDS_0] %s/%s.vmx", v.Name, v.Name)
	return v
}

func (s *Site) spawnVCLS() {
	s.moving.Lock()
	defer s.moving.Unlock()
	p := s.plant
	p.mu.Lock()
	v := s.newVCLS()
	if v != nil {
		v.Power, v.ToolsRunning = types.VirtualMachinePowerStatePoweredOff, false
	}
	p.mu.Unlock()
	if v == nil {
		return
	}
	for _, f := range s.facesOf(v.Host) {
		f.addVM(v)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.vms = append(p.vms, v)
	p.note("vcls.spawned", v.Name, v.Host.Name)
	p.turnOn(v)
}

func (s *Site) removeVCLS(v *VM) {
	s.moving.Lock()
	defer s.moving.Unlock()
	p := s.plant
	p.mu.Lock()
	if v.isOn() {
		p.turnOff(v, true, "removed by retreat mode")
	}
	for i, other := range p.vms {
		if other == v {
			p.vms = append(p.vms[:i:i], p.vms[i+1:]...)
			break
		}
	}
	p.mu.Unlock()
	for _, f := range s.facesOf(v.Host) {
		f.removeVM(v)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.note("vcls.removed", v.Name, v.Host.Name)
	p.touched()
}

// setRetreat keeps what vCenter is told of its cluster services. mu is held.
func (p *Plant) setRetreat(retreats bool) {
	if p.vclsRetreats != retreats {
		p.vclsRetreats = retreats
		p.note(map[bool]string{true: "vcls.retreat", false: "vcls.wanted"}[retreats], p.cluster, "")
	}
}

// optionCalls takes vCenter's advanced settings, among them the one that sends vCLS into retreat.
type optionCalls struct {
	*simulator.OptionManager
	face *Face
}

func (c *optionCalls) UpdateOptions(ctx *simulator.Context, r *types.UpdateOptions) soap.HasFault {
	p := c.face.site.plant
	for _, change := range r.ChangedValue {
		option := change.GetOptionValue()
		if !strings.HasPrefix(option.Key, "config.vcls.clusters.") {
			continue
		}
		if c.face.site.options.VclsMode == "none" {
			return &methods.UpdateOptionsBody{Fault_: simulator.Fault("", &types.InvalidName{Name: option.Key})}
		}
		for _, entity := range c.face.model.Map().All("ClusterComputeResource") {
			own := entity.Entity().Name == c.face.site.options.Cluster && option.Key == "config.vcls.clusters."+entity.Reference().Value+".enabled"
			if own && c.face.site.options.VclsMode == "option" {
				p.mu.Lock()
				p.setRetreat(strings.EqualFold(fmt.Sprint(option.Value), "false"))
				p.mu.Unlock()
			}
		}
	}
	return c.OptionManager.UpdateOptions(r)
}
