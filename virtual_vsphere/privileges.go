package main

import (
	"fmt"
	"strings"
	"sync"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// needed is the privilege that each call of the plant needs on its object (from the API reference).
var needed = map[string]string{
	"ShutdownGuest": "VirtualMachine.Interact.PowerOff", "PowerOffVM_Task": "VirtualMachine.Interact.PowerOff",
	"TerminateVM": "VirtualMachine.Interact.PowerOff", "PowerOnVM_Task": "VirtualMachine.Interact.PowerOn",
	"SuspendVM_Task": "VirtualMachine.Interact.Suspend", "AnswerVM": "VirtualMachine.Interact.AnswerQuestion",
	"EnterMaintenanceMode_Task": "Host.Config.Maintenance", "ExitMaintenanceMode_Task": "Host.Config.Maintenance",
	"ShutdownHost_Task": "Host.Config.Maintenance", "ReconnectHost_Task": "Host.Config.Connection",
	"ReconfigureComputeResource_Task": "Host.Inventory.EditCluster", "UpdateOptions": "Global.Settings",
	"LogUserEvent": "Global.LogEvent", "SetField": "Global.SetCustomField", "AddCustomFieldDef": "Global.ManageCustomFields",
	"RegisterVM_Task": "VirtualMachine.Inventory.Register",
}

// Denial withholds one privilege from every user on one entity. A real role is set on vCenter or on a host alone, so
// a denial belongs to a face; Face "all" is both.
type Denial struct {
	Privilege string `json:"privilege"`
	Entity    string `json:"entity"` // name, or * for all
	Face      string `json:"face"`   // vcenter, esxi, all
}

// Denials is who may not do what; everybody may do everything else.
type Denials struct {
	mu   sync.Mutex
	list []Denial
}

// addText takes PRIVILEGE@ENTITY or PRIVILEGE@ENTITY@FACE.
func (d *Denials) addText(text string) error {
	parts := strings.Split(text, "@")
	if len(parts) < 2 || len(parts) > 3 || parts[0] == "" || parts[1] == "" {
		return fmt.Errorf("denial %q: PRIVILEGE@ENTITY or PRIVILEGE@ENTITY@FACE", text)
	}
	denial := Denial{Privilege: parts[0], Entity: parts[1]}
	if len(parts) == 3 {
		denial.Face = parts[2]
	}
	return d.add(denial)
}

func (d *Denials) add(denial Denial) error {
	switch denial.Face {
	case "":
		denial.Face = vcenterFace
	case vcenterFace, "esxi", "all":
	default:
		return fmt.Errorf("face %q: vcenter, esxi or all", denial.Face)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.list = append(d.list, denial)
	return nil
}

// remove takes back what matches; empty fields match everything.
func (d *Denials) remove(like Denial) {
	d.mu.Lock()
	defer d.mu.Unlock()
	kept := d.list[:0:0]
	for _, x := range d.list {
		if like.Privilege != "" && like.Privilege != x.Privilege || like.Entity != "" && like.Entity != x.Entity ||
			like.Face != "" && like.Face != x.Face {
			kept = append(kept, x)
		}
	}
	d.list = kept
}

func (d *Denials) denied(f *Face, privilege, entity string) bool {
	face := vcenterFace
	if f.host != nil {
		face = "esxi"
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, x := range d.list {
		if x.Privilege == privilege && (x.Entity == "*" || x.Entity == entity) && (x.Face == "all" || x.Face == face) {
			return true
		}
	}
	return false
}

// refused answers NoPermission where a privilege is withheld.
func (f *Face) refused(m *simulator.Method, object string) types.BaseMethodFault {
	privilege := needed[m.Name]
	if privilege == "" || !f.site.denials.denied(f, privilege, object) {
		return nil
	}
	return &types.NoPermission{Object: &m.This, PrivilegeId: privilege}
}

// privilegeCalls answers who may do what. The simulator says yes to everything.
type privilegeCalls struct {
	*simulator.AuthorizationManager
	face *Face
}

func (c *privilegeCalls) grants(entities []types.ManagedObjectReference, privileges []string) []types.EntityPrivilege {
	var out []types.EntityPrivilege
	for _, entity := range entities {
		answer := types.EntityPrivilege{Entity: entity}
		name := c.face.objectName(entity)
		for _, id := range privileges {
			answer.PrivAvailability = append(answer.PrivAvailability, types.PrivilegeAvailability{
				PrivId: id, IsGranted: !c.face.site.denials.denied(c.face, id, name)})
		}
		out = append(out, answer)
	}
	return out
}

func (c *privilegeCalls) HasPrivilegeOnEntities(r *types.HasPrivilegeOnEntities) soap.HasFault {
	return &methods.HasPrivilegeOnEntitiesBody{Res: &types.HasPrivilegeOnEntitiesResponse{Returnval: c.grants(r.Entity, r.PrivId)}}
}

func (c *privilegeCalls) HasPrivilegeOnEntity(r *types.HasPrivilegeOnEntity) soap.HasFault {
	var out []bool
	for _, p := range c.grants([]types.ManagedObjectReference{r.Entity}, r.PrivId)[0].PrivAvailability {
		out = append(out, p.IsGranted)
	}
	return &methods.HasPrivilegeOnEntityBody{Res: &types.HasPrivilegeOnEntityResponse{Returnval: out}}
}

func (c *privilegeCalls) HasUserPrivilegeOnEntities(r *types.HasUserPrivilegeOnEntities) soap.HasFault {
	return &methods.HasUserPrivilegeOnEntitiesBody{
		Res: &types.HasUserPrivilegeOnEntitiesResponse{Returnval: c.grants(r.Entities, r.PrivId)}}
}

func (c *privilegeCalls) FetchUserPrivilegeOnEntities(r *types.FetchUserPrivilegeOnEntities) soap.HasFault {
	body := c.AuthorizationManager.FetchUserPrivilegeOnEntities(r).(*methods.FetchUserPrivilegeOnEntitiesBody)
	for i, entity := range r.Entities {
		name := c.face.objectName(entity)
		var held []string
		for _, id := range body.Res.Returnval[i].Privileges {
			if !c.face.site.denials.denied(c.face, id, name) {
				held = append(held, id)
			}
		}
		body.Res.Returnval[i].Privileges = held
	}
	return body
}
