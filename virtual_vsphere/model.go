package main

import (
	"context"
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// The releases that the faces claim; client libraries choose their calls by the API of the same number.
const (
	release       = "8.0.3"
	releaseNoVCLS = "9.0.0" // vSphere 9 needs no vCLS
)

// clusterName and otherCluster are the simulator's naming, carried on.
const (
	clusterName  = "DC0_C0"
	otherCluster = "DC0_C1"
)

// productName is what a real vCenter appliance carries in its vApp properties.
const productName = "VMware vCenter Server Appliance"

// uuidSpace makes UUIDs that are the same in every run, so that a test may know them.
var uuidSpace = uuid.MustParse("6f0c1f2e-5a0b-4a4b-9a55-746865726d6f")

func stableUUID(kind, name string) string {
	return uuid.NewSHA1(uuidSpace, []byte(kind+"/"+name)).String()
}

// newVCenterModel creates hosts, clusters and one VM to copy. The simulator takes 40 ms to create a VM; a copy of one
// takes a tenth of a millisecond, so it creates one only (see clone.go).
func newVCenterModel(o Options) (*simulator.Model, error) {
	model := simulator.VPX()
	model.Host = 0
	model.ClusterHost = o.Hosts
	model.Machine = 1
	claimed := release
	if o.VclsMode == "none" {
		claimed = releaseNoVCLS
	}
	present(&model.ServiceContent.About, "VMware vCenter Server", claimed)
	if err := model.Create(); err != nil {
		return nil, err
	}
	if inv := o.Inventory; inv != nil {
		model.Map().Any("ClusterComputeResource").(*simulator.ClusterComputeResource).Name = o.Cluster
		names, hosts := inv.others()
		for _, name := range names {
			if err := addOtherCluster(model, name, hosts[name]); err != nil {
				return nil, err
			}
		}
	} else if o.OtherClusterVMs > 0 {
		if err := addOtherCluster(model, otherCluster, []string{"other-host-1"}); err != nil {
			return nil, err
		}
	}
	useUpKeyZero(model)
	for _, entity := range model.Map().All("ClusterComputeResource") {
		cluster := entity.(*simulator.ClusterComputeResource)
		cluster.ConfigurationEx = defaultClusterConfig(true)
		config := cluster.ConfigurationEx.(*types.ClusterConfigInfoEx)
		cluster.Configuration = types.ClusterConfigInfo{DasConfig: config.DasConfig, DrsConfig: config.DrsConfig}
	}
	return model, nil
}

// useUpKeyZero lets custom attributes begin with key 1: no real vCenter hands out a key that is false in Python.
func useUpKeyZero(model *simulator.Model) {
	manager, ctx := model.Map().CustomFieldsManager(), model.Service.Context
	added, ok := manager.AddCustomFieldDef(ctx, &types.AddCustomFieldDef{This: manager.Self, Name: "unused"}).(*methods.AddCustomFieldDefBody)
	if ok && added.Res != nil {
		manager.RemoveCustomFieldDef(ctx, &types.RemoveCustomFieldDef{This: manager.Self, Key: added.Res.Returnval.Key})
	}
}

// addOtherCluster makes a neighbour that must stay untouched.
func addOtherCluster(model *simulator.Model, name string, hosts []string) error {
	ctx := context.Background()
	client, err := vim25.NewClient(ctx, model.Service)
	if err != nil {
		return err
	}
	registry := model.Map()
	dc := registry.Any("Datacenter").(*simulator.Datacenter)
	cluster, err := object.NewFolder(client, dc.HostFolder).CreateCluster(ctx, name, types.ClusterConfigSpecEx{})
	if err != nil {
		return err
	}
	for _, name := range hosts {
		task, err := cluster.AddHost(ctx, types.HostConnectSpec{HostName: name}, true, nil, nil)
		if err != nil {
			return err
		}
		if err := task.Wait(ctx); err != nil {
			return err
		}
	}
	// All hosts see the one datastore, as the VMs of a real cluster's neighbours often do too.
	object := registry.Get(cluster.Reference()).(*simulator.ClusterComputeResource)
	store := registry.Any("Datastore").(*simulator.Datastore)
	object.Datastore = append(object.Datastore, store.Self)
	for _, ref := range object.Host {
		host := registry.Get(ref).(*simulator.HostSystem)
		host.Datastore = append(host.Datastore, store.Self)
		store.Host = append(store.Host, types.DatastoreHostMount{Key: ref, MountInfo: store.Host[0].MountInfo})
	}
	return nil
}

// present names the product as a release that has the API which it claims.
func present(about *types.AboutInfo, product, release string) {
	about.Name, about.Version, about.Build, about.ApiVersion = product, release, "24022515", release+".0"
	about.FullName = product + " " + release + " build-24022515"
}

// newESXiModel is one host by itself.
func newESXiModel(vms int) (*simulator.Model, error) {
	model := simulator.ESX()
	model.Machine = vms
	present(&model.ServiceContent.About, "VMware ESXi", release)
	return model, model.Create()
}

// populate fills the plant: hosts after the model's, VMs after the options, spread over the hosts one by one.
func (s *Site) populate() {
	o, p := s.options, s.plant
	if o.Inventory != nil {
		s.populateFrom(o.Inventory)
	} else {
		s.populateCounted()
	}
	for _, v := range p.vms {
		if v.isOn() {
			v.Host.running++
		}
		if v.InstanceUUID == "" {
			v.InstanceUUID = stableUUID("instance", v.Name)
		}
		v.BIOSUUID = stableUUID("bios", v.Name)
		v.Path = fmt.Sprintf("[LocalDS_0] %s/%s.vmx", v.Name, v.Name)
	}
	p.vcenter.face, p.vcenter.Answering = s.vcenter, p.vcenter.vm == nil || p.vcenter.vm.isOn()
	p.vcenter.Cut = o.Standalone
}

// populateCounted makes as many hosts and VMs as the command line counts.
func (s *Site) populateCounted() {
	o, p := s.options, s.plant
	s.addHosts(clusterName, o.ESXiPrefix)
	s.addHosts(otherCluster, "")
	own := hostsOf(p.hosts, clusterName)
	for i := range o.VMs {
		v := s.newVM(fmt.Sprintf("%s_RP0_VM%d", clusterName, i), own[i%len(own)])
		if i == 0 && o.ownsVCenter() {
			v.Name = o.VCenterVM // the first VM, so it is on the first host
			s.dressAsVCenter(v)
			p.vcenter.vm = v
		}
		p.vms = append(p.vms, v)
	}
	for i := range o.VCenterDecoys {
		v := s.newVM(fmt.Sprintf("vcenter-decoy-%d", i+1), own[(i+1)%len(own)])
		s.dressAsVCenter(v)
		p.vms = append(p.vms, v)
	}
	for range o.Vcls {
		p.vms = append(p.vms, s.newVCLS())
	}
	others := hostsOf(p.hosts, otherCluster)
	for i := range o.OtherClusterVMs {
		p.vms = append(p.vms, s.newVM(fmt.Sprintf("other-vm-%d", i+1), others[i%len(others)]))
	}
}

func hostsOf(all []*Host, cluster string) []*Host {
	var out []*Host
	for _, h := range all {
		if h.Cluster == cluster {
			out = append(out, h)
		}
	}
	return out
}

// addHosts takes the hosts of a cluster of the model into the plant, and names them by their direct face, as vCenter
// names a host by the name or address with which it was added.
func (s *Site) addHosts(cluster, prefix string) {
	registry := s.vcenter.model.Map()
	for _, entity := range registry.All("ClusterComputeResource") {
		if entity.Entity().Name != cluster {
			continue
		}
		refs := append([]types.ManagedObjectReference(nil), entity.(*simulator.ClusterComputeResource).Host...)
		sort.SliceStable(refs, func(i, j int) bool { return len(refs[i].Value) < len(refs[j].Value) })
		for i, ref := range refs {
			host := registry.Get(ref).(*simulator.HostSystem)
			h := &Host{Name: host.Name, Cluster: cluster, Port: 443, On: true, BootTime: time.Now().Add(-240 * time.Hour)}
			switch {
			case prefix != "":
				h.IP = fmt.Sprintf("%s%d", prefix, i+1)
				h.Name = h.IP
			case cluster == s.options.Cluster:
				h.Name = fmt.Sprintf("host-%02d", i+1)
			}
			if s.options.HostNames != "" && cluster == s.options.Cluster {
				h.Name = fmt.Sprintf(s.options.HostNames, i+1)
			}
			h.UUID = stableUUID("host", h.Name)
			h.Serial = fmt.Sprintf("VV%s%03d", strings.ToUpper(h.UUID[:5]), i+1)
			s.plant.hosts = append(s.plant.hosts, h)
			s.vcenter.adoptHost(h, host)
		}
	}
}

func (s *Site) newVM(name string, host *Host) *VM {
	n := len(s.plant.vms)
	return &VM{
		Name: name, HostName: strings.ToLower(strings.ReplaceAll(name, "_", "-")), IP: fmt.Sprintf("10.20.%d.%d", n/250, n%250+1),
		Host: host, Power: types.VirtualMachinePowerStatePoweredOn, HasTools: true, ToolsRunning: true,
		GuestState: guestRunning, GuestMs: -1, CleanOff: true, BootTime: time.Now().Add(-24 * time.Hour),
	}
}

// dressAsVCenter gives a VM all by which a vCenter appliance is recognised from outside.
func (s *Site) dressAsVCenter(v *VM) {
	address := hostPart(s.vcenter.door.address)
	v.HostName, v.IP, v.LooksLikeVCenter = address, address, true
	if s.options.VCenterName != "" {
		v.HostName = s.options.VCenterName
	}
}

// dressHost writes the plant's host into its object of a model.
func dressHost(h *Host, o *simulator.HostSystem) {
	o.Name, o.Summary.Config.Name, o.Summary.Config.Port = h.Name, h.Name, h.Port
	o.Hardware.SystemInfo.Uuid, o.Summary.Hardware.Uuid = h.UUID, h.UUID
	o.Hardware.SystemInfo.SerialNumber = h.Serial
	tag := []types.HostSystemIdentificationInfo{{
		IdentifierValue: h.Serial,
		IdentifierType: &types.ElementDescription{Key: string(types.HostSystemIdentificationInfoIdentifierServiceTag),
			Description: types.Description{Label: "Service tag", Summary: "Service tag of the system"}},
	}}
	o.Hardware.SystemInfo.OtherIdentifyingInfo, o.Summary.Hardware.OtherIdentifyingInfo = tag, tag
	boot := h.BootTime
	o.Runtime.BootTime = &boot
	o.Runtime.ConnectionState, o.Runtime.PowerState = types.HostSystemConnectionStateConnected, types.HostSystemPowerStatePoweredOn
	o.Summary.Runtime = &o.Runtime
	if h.IP != "" && len(o.Config.Network.Vnic) > 0 && o.Config.Network.Vnic[0].Spec.Ip != nil {
		o.Config.Network.Vnic[0].Spec.Ip.IpAddress = h.IP
	}
	dressCertificate(h.Cert, o)
	if o.Summary.Host == nil {
		o.Summary.Host = &o.Self
	}
}

// computeResource is the parent of a host in either kind of model.
func computeResource(registry *simulator.Registry, host *simulator.HostSystem) *mo.ComputeResource {
	switch parent := registry.Get(*host.Parent).(type) {
	case *simulator.ClusterComputeResource:
		return &parent.ComputeResource
	case *mo.ComputeResource:
		return parent
	}
	return nil
}
