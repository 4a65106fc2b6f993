package main

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"sync"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// Site is the whole: the plant, its faces and the control face.
type Site struct {
	options Options
	plant   *Plant
	vcenter *Face
	faces   []*Face // vCenter's first, then the hosts' own
	control *Door

	faults  *Faults
	denials *Denials
	counts  *Counts

	mould  *Mould     // of the direct faces' VMs
	moving sync.Mutex // one VM changes its host at a time
	stop   context.CancelFunc
	done   context.Context
}

// newSite builds everything and opens every door.
func newSite(o Options) (*Site, error) {
	s := &Site{options: o, plant: newPlant(o.Cluster, o.Timing), faults: new(Faults), denials: new(Denials), counts: newCounts()}
	s.done, s.stop = context.WithCancel(context.Background())
	for _, rule := range o.Deny {
		if err := s.denials.addText(rule); err != nil {
			return nil, err
		}
	}
	if err := s.buildVCenter(); err != nil {
		s.Close()
		return nil, err
	}
	if err := s.buildHosts(); err != nil {
		s.Close()
		return nil, err
	}
	var err error
	if s.control, err = newDoor(o.Control, nil, s.controlHandler()); err != nil {
		s.Close()
		return nil, err
	}
	if o.HookURL != "" {
		s.plant.journal.postTo(s.done, o.HookURL)
	}
	go s.push(s.done.Done())
	if o.Vcls > 0 {
		go s.tendVCLS()
	}
	if err := s.openFaces(); err != nil {
		s.Close()
		return nil, err
	}
	s.control.open()
	return s, nil
}

// openFaces opens what answers at the start, and shows on every face the state in which the inventory begins.
func (s *Site) openFaces() error {
	if s.options.Inventory != nil {
		if err := s.attachTiers(s.options.Inventory); err != nil {
			return err
		}
	}
	p := s.plant
	p.mu.Lock()
	for _, h := range p.hosts {
		p.showAnew(h)
	}
	p.placeVCenter()
	p.mu.Unlock()
	p.flush()
	return nil
}

func (s *Site) buildVCenter() error {
	model, err := newVCenterModel(s.options)
	if err != nil {
		return err
	}
	s.vcenter = newFace(s, vcenterFace, nil, model)
	s.faces = []*Face{s.vcenter}
	if s.vcenter.cert, err = newCert(s.options, s.certName(nil)); err != nil {
		return err
	}
	if s.vcenter.mould, err = takeMould(model); err != nil {
		return err
	}
	if err := s.vcenter.prepare(s.options.Listen, s.options.User, s.options.Password); err != nil {
		return err
	}
	s.populate()
	for _, entity := range model.Map().All("ClusterComputeResource") {
		config := entity.(*simulator.ClusterComputeResource).ConfigurationEx.(*types.ClusterConfigInfoEx)
		if s.options.VSAN && entity.Entity().Name == s.options.Cluster {
			yes := true
			config.VsanConfigInfo = &types.VsanClusterConfigInfo{Enabled: &yes}
		}
		if s.options.VclsMode == "system" {
			config.SystemVMsConfig = &types.ClusterSystemVMsConfigInfo{
				DeploymentMode: string(types.ClusterSystemVMsConfigInfoDeploymentModeSYSTEM_MANAGED)}
		}
		if inv := s.options.Inventory; inv != nil && entity.Entity().Name == inv.Cluster {
			inv.Settings.configure(config)
		}
		s.plant.noteCluster(entity.Entity().Name, config)
	}
	return nil
}

// buildHosts makes the direct faces, then both faces' VMs: only now are all addresses known.
func (s *Site) buildHosts() error {
	for _, h := range s.plant.hosts {
		h.Address = net.JoinHostPort(h.Name, strconv.Itoa(int(h.Port)))
		if s.options.ESXiPrefix != "" && h.Cluster == s.options.Cluster {
			if err := s.buildESXi(h); err != nil {
				return err
			}
		}
		dressHost(h, s.vcenter.hostObject(h))
	}
	for _, v := range s.plant.vms {
		s.vcenter.addVM(v)
		if f := v.Host.face; f != nil {
			f.addVM(v)
		}
	}
	return nil
}

// managerIP is what a host says of its vCenter; a loopback would say that it has none.
const managerIP = "192.0.2.2"

func (s *Site) buildESXi(h *Host) error {
	model, err := newESXiModel(0)
	if err != nil {
		return err
	}
	f := newFace(s, h.Name, h, model)
	s.faces = append(s.faces, f)
	if f.mould, err = s.esxiMould(); err != nil {
		return err
	}
	if f.cert, err = newCert(s.options, s.certName(h)); err != nil {
		return err
	}
	address := net.JoinHostPort(h.IP, strconv.Itoa(s.options.ESXiPort))
	if err := f.prepare(address, s.options.ESXiUser, s.options.ESXiPassword); err != nil {
		return fmt.Errorf("direct face of %s: %w", h.Name, err)
	}
	_, port, _ := net.SplitHostPort(f.door.address)
	n, _ := strconv.Atoi(port)
	h.face, h.Address, h.Port = f, net.JoinHostPort(h.Name, port), int32(n)
	h.Cert = f.cert.leafPEM()
	h.KnownCert = h.Cert
	host := model.Map().Any("HostSystem").(*simulator.HostSystem)
	f.adoptHost(h, host)
	dressHost(h, host)
	if !s.options.Standalone { // the model's own host shows its loopback, as one without a vCenter does
		host.Summary.ManagementServerIp = managerIP
	}
	if cr := computeResource(model.Map(), host); cr != nil {
		cr.Name = h.Name
	}
	return nil
}

// esxiMould is the VM that every direct face copies, made once: a model with a VM of its own takes 50 ms more.
func (s *Site) esxiMould() (*Mould, error) {
	if s.mould != nil {
		return s.mould, nil
	}
	model, err := newESXiModel(1)
	if err != nil {
		return nil, err
	}
	defer model.Remove()
	s.mould, err = takeMould(model)
	return s.mould, err
}

// facesOf lists the faces that show a host and its VMs.
func (s *Site) facesOf(h *Host) []*Face {
	if h.face == nil {
		return []*Face{s.vcenter}
	}
	return []*Face{s.vcenter, h.face}
}

// vcenterAnswers tells whether the service behind vCenter's front is up.
func (s *Site) vcenterAnswers() bool {
	s.plant.mu.Lock()
	defer s.plant.mu.Unlock()
	return s.plant.vcenter.Answering
}

func (p *Plant) callDelay() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.timing.CallDelayMs
}

// Close shuts every door and removes the simulator's files.
func (s *Site) Close() {
	s.stop()
	if s.control != nil {
		s.control.shut()
	}
	for _, f := range s.faces {
		if f.door != nil {
			f.door.shut()
		}
		f.model.Remove()
	}
}

// hostPart is an address without its port.
func hostPart(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return host
}
