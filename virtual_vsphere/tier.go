package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"
)

// tierName is the custom attribute, or the category of tags, that says in which tier a VM is shut down.
const tierName = "thermo-guard-tier"

// changeTier is an operator in the vSphere client who writes a custom attribute (how=attribute) or attaches a tag
// (how=tag) to a VM.
func (s *Site) changeTier(q url.Values) error {
	p := s.plant
	p.mu.Lock()
	v := p.vm(q.Get("vm"))
	p.mu.Unlock()
	if v == nil {
		return fmt.Errorf("no VM %q", q.Get("vm"))
	}
	name := first(q, "name", tierName)
	switch first(q, "how", "attribute") {
	case "attribute":
		return s.setAttribute(v, name, q.Get("value"))
	case "tag":
		return s.attachTag(v, name, q.Get("value"))
	}
	return errors.New("how=attribute or how=tag")
}

func (s *Site) vcenterObject(v *VM) *simulator.VirtualMachine {
	s.vcenter.mu.Lock()
	defer s.vcenter.mu.Unlock()
	return s.vcenter.vmObject[v]
}

func (s *Site) setAttribute(v *VM, name, value string) error {
	f := s.vcenter
	manager, ctx := f.model.Map().CustomFieldsManager(), f.newContext()
	object := s.vcenterObject(v)
	if object == nil {
		return fmt.Errorf("vCenter does not show %q", v.Name)
	}
	var err error
	ctx.WithLock(manager, func() {
		key := int32(-1)
		for _, field := range manager.Field {
			if field.Name == name {
				key = field.Key
			}
		}
		if key < 0 {
			added := manager.AddCustomFieldDef(ctx, &types.AddCustomFieldDef{This: manager.Self, Name: name, MoType: "VirtualMachine"})
			if added.Fault() != nil {
				err = errors.New(added.Fault().String)
				return
			}
			key = added.(*methods.AddCustomFieldDefBody).Res.Returnval.Key
		}
		set := manager.SetField(ctx, &types.SetField{This: manager.Self, Entity: object.Self, Key: key, Value: value})
		if set.Fault() != nil {
			err = errors.New(set.Fault().String)
		}
	})
	return err
}

// attachTag goes through the REST interface, as there is no other way in.
func (s *Site) attachTag(v *VM, category, tag string) error {
	object := s.vcenterObject(v)
	if object == nil {
		return fmt.Errorf("vCenter does not show %q", v.Name)
	}
	client := &tagClient{site: s}
	if err := client.call(http.MethodPost, "/rest/com/vmware/cis/session", nil, &client.key); err != nil {
		return err
	}
	categoryID, err := client.findOrMake("category", category, map[string]any{"create_spec": map[string]any{
		"name": category, "description": "", "cardinality": "SINGLE", "associable_types": []string{"VirtualMachine"}}})
	if err != nil {
		return err
	}
	tagID, err := client.findOrMake("tag", tag, map[string]any{"create_spec": map[string]any{
		"name": tag, "description": "", "category_id": categoryID}})
	if err != nil {
		return err
	}
	return client.call(http.MethodPost, "/rest/com/vmware/cis/tagging/tag-association/id:"+tagID+"?~action=attach",
		map[string]any{"object_id": map[string]string{"type": object.Self.Type, "id": object.Self.Value}}, nil)
}

// tagClient speaks to the tag service in this process, whether vCenter is reachable or not.
type tagClient struct {
	site *Site
	key  string
}

// findOrMake answers the id of a category or tag of that name.
func (c *tagClient) findOrMake(kind, name string, create any) (string, error) {
	base := "/rest/com/vmware/cis/tagging/" + kind
	var ids []string
	if err := c.call(http.MethodGet, base, nil, &ids); err != nil {
		return "", err
	}
	for _, id := range ids {
		var found struct{ Name string }
		if err := c.call(http.MethodGet, base+"/id:"+id, nil, &found); err != nil {
			return "", err
		}
		if found.Name == name {
			return id, nil
		}
	}
	var id string
	err := c.call(http.MethodPost, base, create, &id)
	return id, err
}

func (c *tagClient) call(method, path string, body, answer any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request := httptest.NewRequest(method, path, bytes.NewReader(data))
	request.SetBasicAuth(c.site.options.User, c.site.options.Password)
	if c.key != "" {
		request.Header.Set(vapiHeader, c.key)
	}
	recorder := httptest.NewRecorder()
	c.site.vcenter.mux.ServeHTTP(recorder, request)
	if recorder.Code >= http.StatusBadRequest {
		return fmt.Errorf("%s %s: %d %s", method, path, recorder.Code, recorder.Body)
	}
	if answer == nil {
		return nil
	}
	wrapped := struct{ Value any }{Value: answer}
	return json.Unmarshal(recorder.Body.Bytes(), &wrapped)
}
