package main

import (
	"time"

	"github.com/vmware/govmomi/vim25/types"
)

// maintenancePatience is how often a waiting task looks whether it was cancelled. The simulator cancels by writing
// into the task, which nothing announces.
const maintenancePatience = 20 * time.Millisecond

// enterMaintenance waits until no VM of the host is on, then enters maintenance mode. It never stops a VM itself, so
// without a timeout (timeoutS <= 0) it waits for ever, as in life. No lock of the simulator may be held meanwhile.
func (p *Plant) enterMaintenance(h *Host, timeoutS int32, cancelled func() bool) types.BaseMethodFault {
	var deadline <-chan time.Time
	if timeoutS > 0 {
		deadline = time.After(time.Duration(timeoutS) * time.Second)
	}
	var settled time.Time // when the host was first seen empty
	for first := true; ; first = false {
		if cancelled() {
			return new(types.RequestCanceled)
		}
		p.mu.Lock()
		switch {
		case !h.answers():
			p.mu.Unlock()
			return new(types.HostNotConnected)
		case first && h.Maintenance:
			p.mu.Unlock()
			return new(types.InvalidState)
		case first && p.leaves(h):
			settled = time.Time{}
		case h.running > 0:
			settled = time.Time{}
		case settled.IsZero():
			settled = time.Now()
		}
		if !settled.IsZero() && time.Since(settled) >= time.Duration(p.timing.MaintenanceMs)*time.Millisecond {
			if !h.Maintenance {
				h.Maintenance = true
				p.touchHost(h)
				p.note("maintenance.on", h.Name, h.Name)
			}
			p.mu.Unlock()
			return nil
		}
		changed := p.changed
		p.mu.Unlock()
		select {
		case <-deadline:
			return new(types.Timedout)
		case <-changed:
		case <-time.After(maintenancePatience):
		}
	}
}

// leaves lets the managers of agent VMs stop them first; it answers whether any is still on. mu is held.
func (p *Plant) leaves(h *Host) bool {
	p.followManager(h, true)
	return h.running > 0
}

func (p *Plant) exitMaintenance(h *Host) types.BaseMethodFault {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !h.answers() {
		return new(types.HostNotConnected)
	}
	if !h.Maintenance {
		return new(types.InvalidState)
	}
	h.Maintenance = false
	p.touchHost(h)
	p.note("maintenance.off", h.Name, h.Name)
	p.followManager(h, false)
	return nil
}

// mayShutDown is what ShutdownHost checks before it answers.
func (p *Plant) mayShutDown(h *Host, force bool) types.BaseMethodFault {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !h.answers() {
		return new(types.HostNotConnected)
	}
	if h.Stopping || !force && !h.Maintenance {
		return new(types.InvalidState)
	}
	return nil
}

// shutDown takes the host down in two steps, as in life: first its management goes silent (and its VMs die with it),
// later its power is off. silent is closed at the first step. A caller that believed the silence would cut the power
// of a machine that is still writing to its disks.
func (p *Plant) shutDown(h *Host) (silent <-chan struct{}) {
	done := make(chan struct{})
	p.mu.Lock()
	defer p.mu.Unlock()
	if h.Stopping || !h.answers() {
		close(done)
		return done
	}
	h.Stopping = true
	h.epoch++
	epoch := h.epoch
	off := own(h.OffMs, p.timing.HostOffMs)
	p.after(off/2, func() {
		defer close(done)
		if h.epoch != epoch {
			return
		}
		h.Silent = true
		p.lose(h)
		p.note("host.silent", h.Name, h.Name)
		p.after(off-off/2, func() {
			if h.epoch == epoch && !h.ShutdownHangs {
				p.cutPower(h)
			}
		})
	})
	return done
}

// cutPower is what a BMC's ForceOff does, and how every shutdown ends. mu is held.
func (p *Plant) cutPower(h *Host) {
	if !h.On {
		return
	}
	h.epoch++
	h.On, h.Booting, h.Silent, h.Stopping = false, false, false, false
	p.note("host.off", h.Name, h.Name)
	p.lose(h)
}

// lose ends everything that ran on the host. mu is held.
func (p *Plant) lose(h *Host) {
	if h.face != nil {
		h.face.door.shut()
		h.face.forgetSessions()
	}
	for _, v := range p.vms {
		if v.Host != h {
			continue
		}
		v.Question = ""
		if v.isOn() {
			p.turnOff(v, false, "lost")
		}
	}
	p.showAnew(h)
}

// own is a duration of a host's or VM's own, or the plant's.
func own(ms *int, plants int) int {
	if ms != nil {
		return *ms
	}
	return plants
}

// pressPower is what a BMC's On does: nothing to a machine that is on. mu is held.
func (p *Plant) pressPower(h *Host) {
	if h.On {
		return
	}
	h.epoch++
	h.On, h.Booting, h.Standby = true, true, false
	p.note("host.on", h.Name, h.Name)
	p.touchHost(h)
	epoch := h.epoch
	p.after(own(h.BootMs, p.timing.BootMs), func() {
		if h.epoch == epoch {
			p.finishBoot(h)
		}
	})
}

// isolate cuts the host's management network, or mends it. The host looks dead to vCenter, and is not. mu is held.
func (p *Plant) isolate(h *Host, cut bool) {
	if h.Isolated == cut {
		return
	}
	h.Isolated = cut
	p.note(map[bool]string{true: "host.isolated", false: "host.rejoined"}[cut], h.Name, h.Name)
	p.showAnew(h)
	if v := p.vcenter.vm; v != nil && v.Host == h {
		p.placeVCenter()
	}
}

// showAnew follows a change of what of the host can be reached. mu is held.
func (p *Plant) showAnew(h *Host) {
	if h.face != nil && h.answers() {
		h.face.door.open()
	} else if h.face != nil {
		h.face.door.shut()
	}
	for _, v := range p.vms {
		if v.Host == h {
			p.touchVM(v)
		}
	}
	p.touchHost(h)
}

// finishBoot brings the host back with the maintenance mode that it had and its VMs off. mu is held.
func (p *Plant) finishBoot(h *Host) {
	h.Booting = false
	h.BootTime = time.Now()
	p.showAnew(h)
	p.note("host.booted", h.Name, h.Name)
}
