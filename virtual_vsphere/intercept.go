package main

import (
	"reflect"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// overridden are the calls that the plant answers instead of the simulator, by type of the object.
var overridden = map[string]map[string]bool{
	"VirtualMachine": {"ShutdownGuest": true, "StandbyGuest": true, "PowerOnVM_Task": true, "PowerOffVM_Task": true,
		"SuspendVM_Task": true, "ResetVM_Task": true, "TerminateVM": true, "AnswerVM": true, "MarkAsTemplate": true},
	"HostSystem": {"EnterMaintenanceMode_Task": true, "ExitMaintenanceMode_Task": true, "ShutdownHost_Task": true,
		"ReconnectHost_Task": true, "DisconnectHost_Task": true},
	"ClusterComputeResource": {"ReconfigureComputeResource_Task": true},
	"Folder":                 {"RegisterVM_Task": true},
	"OptionManager":          {"UpdateOptions": true},
	"EventManager":           {"LogUserEvent": true},
	"AuthorizationManager": {"HasPrivilegeOnEntities": true, "HasPrivilegeOnEntity": true,
		"HasUserPrivilegeOnEntities": true, "FetchUserPrivilegeOnEntities": true},
}

// intercept is called by the simulator before each call, without any lock. It may refuse the call; and for the calls
// of the plant it puts an object of ours into the session's own registry, which the simulator prefers to its own
// object. (An object returned from here is not preferred, and one put into the shared registry would break the
// simulator's type assertions.)
func (f *Face) intercept(ctx *simulator.Context, m *simulator.Method) (mo.Reference, types.BaseMethodFault) {
	object := f.objectName(m.This)
	if rule := f.site.faults.take(f.name, m.Name, object, kindFault); rule != nil {
		return nil, rule.fault()
	}
	if login, ok := m.Body.(*types.Login); ok && f.locksOut(login.UserName) {
		return nil, &types.NoPermission{Object: &m.This, PrivilegeId: "System.View"}
	}
	if ctx.Session == nil {
		return nil, anonymous(m)
	}
	if fault := f.refused(m, object); fault != nil {
		return nil, fault
	}
	if !overridden[m.This.Type][m.Name] {
		return nil, nil
	}
	own := f.stateful(ctx, m.This)
	if own == nil {
		return nil, nil
	}
	// Put writes into the shared object, so it needs the object's lock.
	ctx.WithLock(own, func() { ctx.Session.Registry.Put(own) })
	return nil, nil
}

// stateful is our object for a reference; nil = leave it to the simulator.
func (f *Face) stateful(ctx *simulator.Context, ref types.ManagedObjectReference) mo.Reference {
	switch o := ctx.Map.Get(ref).(type) {
	case *simulator.VirtualMachine:
		if v := f.vmOf(ref); v != nil {
			return &vmCalls{VirtualMachine: o, face: f, vm: v}
		}
	case *simulator.HostSystem:
		if h := f.hostOf(ref); h != nil {
			return &hostCalls{HostSystem: o, face: f, host: h}
		}
	case *simulator.ClusterComputeResource:
		return &clusterCalls{ClusterComputeResource: o, face: f}
	case *simulator.Folder:
		if f.host != nil {
			return &folderCalls{Folder: o, face: f}
		}
	case *simulator.OptionManager:
		if f.host == nil {
			return &optionCalls{OptionManager: o, face: f}
		}
	case *simulator.EventManager:
		return &eventCalls{EventManager: o, face: f}
	case *simulator.AuthorizationManager:
		return &privilegeCalls{AuthorizationManager: o, face: f}
	}
	return nil
}

// anonymous refuses what the simulator would let anybody read. Without it a session of an earlier life of vCenter
// would get empty answers instead of NotAuthenticated.
func anonymous(m *simulator.Method) types.BaseMethodFault {
	var asked []types.ManagedObjectReference
	collect := func(sets []types.PropertyFilterSpec) {
		for _, set := range sets {
			for _, object := range set.ObjectSet {
				asked = append(asked, object.Obj)
			}
		}
	}
	switch body := m.Body.(type) {
	case *types.RetrieveProperties:
		collect(body.SpecSet)
	case *types.RetrievePropertiesEx:
		collect(body.SpecSet)
	default:
		if m.Name != "Fetch" {
			return nil
		}
		// The simulator's type of this call is not exported.
		asked = append(asked, reflect.ValueOf(m.Body).Elem().FieldByName("This").Interface().(types.ManagedObjectReference))
	}
	for _, ref := range asked {
		if ref.Type != "ServiceInstance" && ref.Type != "SessionManager" {
			return &types.NotAuthenticated{NoPermission: types.NoPermission{Object: &ref, PrivilegeId: "System.View"}}
		}
	}
	return nil
}
