package main

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// Mould is the one VM of a model that the simulator made itself; every other VM is a copy of it. The mould itself
// is then taken out of the inventory.
type Mould struct {
	vm   mo.VirtualMachine
	pool types.ManagedObjectReference
}

// takeMould takes the only VM out of a model, before the model has handlers of ours.
func takeMould(model *simulator.Model) (*Mould, error) {
	registry := model.Map()
	vm, ok := registry.Any("VirtualMachine").(*simulator.VirtualMachine)
	if !ok {
		return nil, fmt.Errorf("the simulator made no VM to copy")
	}
	mould := &Mould{vm: copied(vm.VirtualMachine, "", ""), pool: *vm.ResourcePool}
	ctx := context.Background()
	client, err := vim25.NewClient(ctx, model.Service)
	if err != nil {
		return nil, err
	}
	machine := object.NewVirtualMachine(client, vm.Self)
	for _, step := range []func(context.Context) (*object.Task, error){machine.PowerOff, machine.Destroy} {
		task, err := step(ctx)
		if err == nil {
			err = task.Wait(ctx)
		}
		if err != nil {
			return nil, err
		}
	}
	return mould, nil
}

// addVM puts a VM of the plant into this face's inventory.
func (f *Face) addVM(v *VM) *simulator.VirtualMachine {
	registry, ctx := f.model.Map(), f.newContext()
	host := f.hostObject(v.Host)
	if f.host != nil {
		host = f.hostObject(f.host)
	}
	vm := &simulator.VirtualMachine{VirtualMachine: copied(f.mould.vm, f.mould.vm.Name, v.Name), DataSets: map[string]*simulator.DataSet{}}
	vm.Self = types.ManagedObjectReference{}
	registry.NewEntity(vm)
	dressVM(v, vm)
	pool := f.mould.pool
	if cr := computeResource(registry, host); cr != nil && cr.ResourcePool != nil && cr.EnvironmentBrowser != nil {
		pool, vm.EnvironmentBrowser = *cr.ResourcePool, *cr.EnvironmentBrowser
	}
	vm.Datastore = []types.ManagedObjectReference{registry.Any("Datastore").Reference()}
	vm.ResourcePool = &pool
	f.mu.Lock()
	ref := f.hostRef(v.Host)
	if f.host != nil {
		ref = host.Self
	}
	f.mu.Unlock()
	// Straight into the object: nobody sees it yet.
	p := f.site.plant
	p.mu.Lock()
	shown := showVM(v, f, ref, vmView{})
	p.mu.Unlock()
	mo.ApplyPropertyChange(&vm.VirtualMachine, shown.changes(vmView{}))

	folder := registry.Get(*f.mould.vm.Parent).(*simulator.Folder)
	ctx.WithLock(folder, func() {
		folder.ChildEntity = append(folder.ChildEntity, vm.Self)
		registry.PutEntity(folder, vm)
	})
	registry.AppendReference(ctx, host, &host.Vm, vm.Self)
	if o, ok := registry.Get(pool).(*simulator.ResourcePool); ok {
		registry.AppendReference(ctx, o, &o.Vm, vm.Self)
	}
	for _, ref := range vm.Datastore {
		if o, ok := registry.Get(ref).(*simulator.Datastore); ok {
			registry.AppendReference(ctx, o, &o.Vm, vm.Self)
		}
	}
	f.adopt(v, vm, shown)
	return vm
}

// removeVM takes a VM out of this face's inventory: it is registered elsewhere now.
func (f *Face) removeVM(v *VM) {
	vm := f.release(v)
	if vm == nil {
		return
	}
	registry, ctx := f.model.Map(), f.newContext()
	if o, ok := registry.Get(*vm.Parent).(*simulator.Folder); ok {
		registry.RemoveReference(ctx, o, &o.ChildEntity, vm.Self)
	}
	at := f.host
	if at == nil {
		at = v.Host
	}
	if host := f.hostObject(at); host != nil {
		registry.RemoveReference(ctx, host, &host.Vm, vm.Self)
	}
	if o, ok := registry.Get(*vm.ResourcePool).(*simulator.ResourcePool); ok {
		registry.RemoveReference(ctx, o, &o.Vm, vm.Self)
	}
	for _, ref := range vm.Datastore {
		if o, ok := registry.Get(ref).(*simulator.Datastore); ok {
			registry.RemoveReference(ctx, o, &o.Vm, vm.Self)
		}
	}
	registry.Remove(ctx, vm.Self)
}

// moveVM shows on vCenter that a VM has another host; the VM's own runtime.host follows by the push.
func (f *Face) moveVM(v *VM, from, to *Host) {
	f.mu.Lock()
	vm, source, target := f.vmObject[v], f.hostObj[from], f.hostObj[to]
	f.mu.Unlock()
	if vm == nil || source == nil || target == nil {
		return
	}
	registry, ctx := f.model.Map(), f.newContext()
	registry.RemoveReference(ctx, source, &source.Vm, vm.Self)
	registry.AddReference(ctx, target, &target.Vm, vm.Self)
}

// dressVM writes what of a plant's VM never changes into its object.
func dressVM(v *VM, o *simulator.VirtualMachine) {
	o.Name, o.Config.Name, o.Summary.Config.Name = v.Name, v.Name, v.Name
	o.Config.InstanceUuid, o.Summary.Config.InstanceUuid = v.InstanceUUID, v.InstanceUUID
	o.Config.Uuid, o.Summary.Config.Uuid = v.BIOSUUID, v.BIOSUUID
	o.Config.Files.VmPathName, o.Summary.Config.VmPathName = v.Path, v.Path
	o.Summary.Vm = &o.Self
	o.RecentTask = nil
	fillEnums(o)
	nic := macOf(v)
	for _, device := range o.Config.Hardware.Device {
		if card, ok := device.(types.BaseVirtualEthernetCard); ok {
			card.GetVirtualEthernetCard().MacAddress = nic
		}
	}
	o.Guest.HostName, o.Guest.IpAddress = v.HostName, v.IP
	o.Summary.Guest.HostName, o.Summary.Guest.IpAddress = v.HostName, v.IP
	o.Guest.Net = []types.GuestNicInfo{{
		Network: "VM Network", MacAddress: nic, Connected: true, DeviceConfigId: 4000, IpAddress: []string{v.IP},
	}}
	if len(v.Addresses) > 0 && !v.LooksLikeVCenter {
		o.Guest.Net[0].IpAddress = v.Addresses
	}
	if v.GuestID != "" {
		o.Config.GuestId, o.Summary.Config.GuestId, o.Guest.GuestId, o.Summary.Guest.GuestId = v.GuestID, v.GuestID, v.GuestID, v.GuestID
	}
	if v.LooksLikeVCenter {
		o.Config.VAppConfig = &types.VmConfigInfo{
			Product:      []types.VAppProductInfo{{Name: productName, Vendor: "VMware Inc.", Version: "8.0.3"}},
			IpAssignment: types.VAppIPAssignmentInfo{},
		}
	}
}

// fillEnums sets the values that the simulator leaves empty. Its XML then has an empty enum, on which pyVmomi stumbles
// as soon as somebody reads vm.runtime or vm.summary whole.
func fillEnums(o *simulator.VirtualMachine) {
	o.Runtime.FaultToleranceState = types.VirtualMachineFaultToleranceStateNotConfigured
	o.Runtime.RecordReplayState = types.VirtualMachineRecordReplayStateInactive
	o.Summary.Runtime = o.Runtime
	o.Summary.QuickStats.GuestHeartbeatStatus = types.ManagedEntityStatusGreen
	o.Guest.ToolsVersionStatus = string(types.VirtualMachineToolsVersionStatusGuestToolsCurrent)
	o.Guest.ToolsVersionStatus2 = string(types.VirtualMachineToolsVersionStatusGuestToolsCurrent)
}

// macOf derives the card's address from the UUID, as ESXi does.
func macOf(v *VM) string {
	id := strings.ReplaceAll(v.BIOSUUID, "-", "")
	return fmt.Sprintf("00:0c:29:%s:%s:%s", id[0:2], id[2:4], id[4:6])
}

// copied is a deep copy with every occurrence of the string old replaced: the mould's name is in its paths.
func copied[T any](value T, old, new string) T {
	return deepCopy(reflect.ValueOf(&value).Elem(), old, new).Interface().(T)
}

var timeType = reflect.TypeOf(time.Time{})

func deepCopy(v reflect.Value, old, new string) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			out.Set(reflect.New(v.Type().Elem()))
			out.Elem().Set(deepCopy(v.Elem(), old, new))
		}
	case reflect.Interface:
		if !v.IsNil() {
			out.Set(deepCopy(v.Elem(), old, new))
		}
	case reflect.Slice:
		if !v.IsNil() {
			out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
			for i := range v.Len() {
				out.Index(i).Set(deepCopy(v.Index(i), old, new))
			}
		}
	case reflect.Struct:
		if v.Type() == timeType {
			out.Set(v)
			break
		}
		for i := range v.NumField() {
			out.Field(i).Set(deepCopy(v.Field(i), old, new))
		}
	case reflect.String:
		s := v.String()
		if old != "" {
			s = strings.ReplaceAll(s, old, new)
		}
		out.SetString(s)
	default:
		out.Set(v)
	}
	return out
}
