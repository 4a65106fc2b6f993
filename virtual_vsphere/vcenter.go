package main

// VCenter is the life of the vCenter service: it depends on its own VM where it runs inside the cluster.
type VCenter struct {
	vm   *VM   // nil = outside the cluster
	face *Face // where it answers

	Answering bool // the service is up
	Starting  bool // its address is there, its service is not yet: HTTP 503
	Cut       bool // nobody reaches it, although it runs
	epoch     int
}

// bootVCenter follows the power-on of vCenter's VM: silence, then 503 from the front, then service, in a new life
// that knows no earlier session. mu is held.
func (p *Plant) bootVCenter() {
	c := &p.vcenter
	c.epoch++
	epoch := c.epoch
	ms := p.timing.VCenterBootMs
	p.after(ms/2, func() {
		if c.epoch == epoch {
			c.Starting = true
			p.placeVCenter()
		}
	})
	p.after(ms, func() {
		if c.epoch == epoch {
			c.Starting, c.Answering = false, true
			p.placeVCenter()
			p.note("vcenter.up", c.vm.Name, c.vm.Host.Name)
			p.announce()
		}
	})
}

// killVCenter follows the end of vCenter's VM. mu is held.
func (p *Plant) killVCenter() {
	c := &p.vcenter
	c.epoch++
	wasUp := c.Answering
	c.Starting, c.Answering = false, false
	p.placeVCenter()
	c.face.forgetSessions()
	if wasUp {
		p.note("vcenter.down", c.vm.Name, c.vm.Host.Name)
	}
	p.announce()
}

// cutVCenter takes vCenter off the network, or puts it back. Its sessions live on: the service never stopped.
// mu is held.
func (p *Plant) cutVCenter(cut bool) {
	c := &p.vcenter
	if c.Cut == cut {
		return
	}
	c.Cut = cut
	p.placeVCenter()
	p.note(map[bool]string{true: "vcenter.cut", false: "vcenter.reachable"}[cut], "vcenter", "")
	p.announce()
}

// placeVCenter opens or shuts vCenter's front, whichever its state calls for. mu is held.
func (p *Plant) placeVCenter() {
	c := &p.vcenter
	if (c.Answering || c.Starting) && !c.Cut && (c.vm == nil || !c.vm.Host.Isolated) {
		c.face.door.open()
	} else {
		c.face.door.shut()
	}
}
