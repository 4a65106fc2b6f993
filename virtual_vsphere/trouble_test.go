package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vapi/rest"
	"github.com/vmware/govmomi/vapi/tags"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"

	"net/url"
)

// A withheld privilege is false when asked for, and NoPermission when used; on that entity and that face only.
func TestPrivileges(t *testing.T) {
	b := start(t, func(o *Options) { o.Deny = repeated{"VirtualMachine.Interact.PowerOff@DC0_C0_RP0_VM0"} })
	vc := b.vcenter()
	denied, free := vc.vm("DC0_C0_RP0_VM0").Reference(), vc.vm("DC0_C0_RP0_VM1").Reference()
	manager := object.NewAuthorizationManager(raw(vc))
	session, err := vc.SessionManager.UserSession(b.ctx)
	b.ok(err)
	res, err := methods.HasPrivilegeOnEntities(b.ctx, raw(vc), &types.HasPrivilegeOnEntities{This: manager.Reference(),
		Entity: []types.ManagedObjectReference{denied, free}, SessionId: session.Key,
		PrivId: []string{"VirtualMachine.Interact.PowerOff", "VirtualMachine.Interact.PowerOn"}})
	b.ok(err)
	got := fmt.Sprint(res.Returnval[0].PrivAvailability[0].IsGranted, res.Returnval[0].PrivAvailability[1].IsGranted,
		res.Returnval[1].PrivAvailability[0].IsGranted)
	if got != "false true true" {
		t.Fatal(got)
	}
	fetched, err := methods.FetchUserPrivilegeOnEntities(b.ctx, raw(vc), &types.FetchUserPrivilegeOnEntities{
		This: manager.Reference(), Entities: []types.ManagedObjectReference{denied, free}, UserName: b.site.options.User})
	b.ok(err)
	if len(fetched.Returnval[0].Privileges)+1 != len(fetched.Returnval[1].Privileges) {
		t.Fatal("FetchUserPrivilegeOnEntities does not know")
	}
	b.refused(vc.vm("DC0_C0_RP0_VM0").ShutdownGuest(b.ctx), "NoPermission")
	b.refused(b.await(vc.vm("DC0_C0_RP0_VM0").PowerOff(b.ctx)), "NoPermission")
	b.ok(vc.vm("DC0_C0_RP0_VM1").ShutdownGuest(b.ctx))
	b.ok(b.esxi(0).vm("DC0_C0_RP0_VM0").ShutdownGuest(b.ctx))
	b.post("/deny?privilege=Host.Config.Maintenance&entity=" + b.hostName(0) + "&face=all")
	b.refused(vc.enter(0, 1), "NoPermission")
	b.refused(b.esxi(0).enter(0, 1), "NoPermission")
	b.post("/deny?clear=1")
	b.refused(vc.enter(0, 1), "Timedout")
}

// Each kind of trouble does what it says: refused, refused by the task, answered never, done without an answer.
func TestFaultRules(t *testing.T) {
	b := start(t, nil)
	vc := b.vcenter()
	vm := vc.vm("DC0_C0_RP0_VM0")
	b.post("/fault?method=PowerOffVM&name=DC0_C0_RP0_VM0&count=1")
	b.refused(b.await(vm.PowerOff(b.ctx)), "NotSupported")
	b.post("/fault?method=PowerOffVM_Task&count=1&kind=task&fault=GenericVmConfigFault")
	b.refused(b.await(vm.PowerOff(b.ctx)), "GenericVmConfigFault")
	if b.isOff("DC0_C0_RP0_VM0")() {
		t.Fatal("a fault was obeyed")
	}
	b.post("/fault?method=PowerOffVM_Task&count=1&kind=timeout")
	short, cancel := context.WithTimeout(b.ctx, 100*time.Millisecond)
	defer cancel()
	if _, err := vm.PowerOff(short); err == nil || b.isOff("DC0_C0_RP0_VM0")() {
		t.Fatal("a call that hangs was answered or done")
	}
	b.post("/fault?method=PowerOffVM_Task&count=1&kind=drop")
	if _, err := vm.PowerOff(b.ctx); err == nil {
		t.Fatal("a lost answer arrived")
	}
	b.until("done without an answer", b.isOff("DC0_C0_RP0_VM0"))
	b.ok(vc.powerOn("DC0_C0_RP0_VM0"))
	b.post("/fault?method=*&face=" + b.hostName(0) + "&fault=HostCommunication")
	if _, err := b.dial(b.site.plant.hosts[0].Address, "root", b.site.options.ESXiPassword); err == nil {
		t.Fatal("a rule for every method missed one")
	}
	b.post("/fault?clear=1")
	b.esxi(0)
}

// The REST side knows tags; its sessions want the right password and die with vCenter.
func TestTags(t *testing.T) {
	b := start(t, withVCenterVM)
	vc := b.vcenter()
	login := func(password string) (*rest.Client, error) {
		c := rest.NewClient(raw(vc))
		return c, c.Login(b.ctx, url.UserPassword(b.site.options.User, password))
	}
	if _, err := login("wrong"); err == nil {
		t.Fatal("the wrong password opened a REST session")
	}
	c, err := login(b.site.options.Password)
	b.ok(err)
	m := tags.NewManager(c)
	category, err := m.CreateCategory(b.ctx, &tags.Category{Name: "tier", Cardinality: "SINGLE", AssociableTypes: []string{"VirtualMachine"}})
	b.ok(err)
	tag, err := m.CreateTag(b.ctx, &tags.Tag{Name: "1", CategoryID: category})
	b.ok(err)
	b.ok(m.AttachTag(b.ctx, tag, vc.vm("DC0_C0_RP0_VM1")))
	attached, err := m.ListAttachedObjects(b.ctx, tag)
	b.ok(err)
	if len(attached) != 1 || attached[0].Reference() != vc.vm("DC0_C0_RP0_VM1").Reference() {
		t.Fatal(attached)
	}
	b.post("/tier?vm=DC0_C0_RP0_VM2&value=3&how=tag")
	b.post("/tier?vm=DC0_C0_RP0_VM3&value=3&how=tag")
	own, err := m.GetTagForCategory(b.ctx, "3", tierName)
	b.ok(err)
	if attached, err = m.ListAttachedObjects(b.ctx, own.ID); err != nil || len(attached) != 2 {
		t.Fatal(attached, err)
	}
	b.post("/vm?name=vcsa&power=off")
	b.post("/vm?name=vcsa&power=on")
	b.until("vCenter back", b.site.vcenterAnswers)
	if _, err := m.ListTags(b.ctx); err == nil {
		t.Fatal("a REST session outlived vCenter")
	}
}

// Custom attributes are readable on the VM, whoever wrote them.
func TestCustomAttributes(t *testing.T) {
	b := start(t, nil)
	vc := b.vcenter()
	manager, err := object.GetCustomFieldsManager(raw(vc))
	b.ok(err)
	field, err := manager.Add(b.ctx, "owner", "VirtualMachine", nil, nil)
	b.ok(err)
	if field.Key == 0 {
		t.Fatal("no real vCenter has a key 0")
	}
	b.ok(manager.Set(b.ctx, vc.vm("DC0_C0_RP0_VM1").Reference(), field.Key, "ops"))
	b.post("/tier?vm=DC0_C0_RP0_VM1&value=2")
	b.post("/tier?vm=DC0_C0_RP0_VM1&value=4")
	for _, v := range find[mo.VirtualMachine](vc, "VirtualMachine", "name", "customValue", "value", "availableField") {
		if v.Name != "DC0_C0_RP0_VM1" {
			continue
		}
		values := map[string]string{}
		for _, x := range v.CustomValue {
			for _, f := range v.AvailableField {
				if f.Key == x.GetCustomFieldValue().Key {
					values[f.Name] = x.(*types.CustomFieldStringValue).Value
				}
			}
		}
		if values["owner"] != "ops" || values[tierName] != "4" || len(v.Value) == 0 {
			t.Fatal(values, v.Value)
		}
	}
}

// The journal is in order, can be waited for, and is told to whoever listens.
func TestJournal(t *testing.T) {
	var mu sync.Mutex
	var heard []string
	listener := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var e struct{ Event, Host string }
		_ = json.NewDecoder(r.Body).Decode(&e)
		mu.Lock()
		heard = append(heard, e.Event+" "+e.Host)
		mu.Unlock()
	}))
	defer listener.Close()
	b := start(t, func(o *Options) { o.HookURL = listener.URL; o.VMs = 0 })
	b.post("/log?clear=1")
	found := make(chan []Entry)
	go func() {
		var entries []Entry
		b.get("/log?since=0&wait=10", &entries)
		found <- entries
	}()
	time.Sleep(30 * time.Millisecond)
	vc := b.vcenter()
	b.ok(vc.enter(0, 5))
	first := <-found
	if len(first) == 0 || first[0].Method != "EnterMaintenanceMode_Task" || first[0].User != b.site.options.User ||
		first[0].Face != "vcenter" || first[0].Object != b.hostName(0) {
		t.Fatalf("%+v", first)
	}
	b.ok(vc.shutDownHost(0, false))
	b.until("off", b.hostIs(0, func(h *Host) bool { return !h.On }))
	b.post("/host?name=" + b.hostName(0) + "&on=1")
	b.until("all heard", func() bool { mu.Lock(); defer mu.Unlock(); return len(heard) >= 5 })
	name := " " + b.hostName(0)
	want := strings.Join([]string{"maintenance.on" + name, "host.silent" + name, "host.off" + name, "host.on" + name, "host.booted" + name}, ",")
	if got := strings.Join(heard, ","); got != want {
		t.Fatal(got)
	}
	var entries []Entry
	b.get(fmt.Sprintf("/log?since=%d&wait=0", first[0].N), &entries)
	for i := 1; i < len(entries); i++ {
		if entries[i].N != entries[i-1].N+1 || entries[i].T < entries[i-1].T {
			t.Fatal("out of order")
		}
	}
}

// Calls are counted, and delayed when asked.
func TestCountsAndDelay(t *testing.T) {
	b := start(t, nil)
	vc := b.vcenter()
	b.post("/count?clear=1")
	b.post("/timing?call-delay-ms=60")
	begin := time.Now()
	_, err := methods.GetCurrentTime(b.ctx, raw(vc))
	b.ok(err)
	if took := time.Since(begin); took < 60*time.Millisecond {
		t.Fatal(took)
	}
	var count struct {
		Total   int
		Methods map[string]int
	}
	b.get("/count", &count)
	if count.Total != 1 || count.Methods["CurrentTime"] != 1 {
		t.Fatal(count)
	}
}

// Sixteen workers on one session, as the adapter does it.
func TestParallelCalls(t *testing.T) {
	b := start(t, func(o *Options) { o.VMs = 64; o.Hosts = 4 })
	vc := b.vcenter()
	all := find[mo.VirtualMachine](vc, "VirtualMachine", "name")
	work := make(chan mo.VirtualMachine)
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			for v := range work {
				if err := object.NewVirtualMachine(raw(vc), v.Self).ShutdownGuest(b.ctx); err != nil {
					t.Error(err)
				}
			}
		})
	}
	tasks := make([]*object.Task, 4)
	for i := range tasks {
		var err error
		tasks[i], err = vc.host(i).EnterMaintenanceMode(b.ctx, 20, false, nil)
		b.ok(err)
	}
	for _, v := range all {
		work <- v
	}
	close(work)
	group.Wait()
	for _, task := range tasks {
		b.ok(task.Wait(b.ctx))
	}
}

// A user's own line reaches the journal.
func TestLogUserEvent(t *testing.T) {
	b := start(t, nil)
	vc := b.vcenter()
	_, err := methods.LogUserEvent(b.ctx, raw(vc), &types.LogUserEvent{This: *vc.ServiceContent.EventManager,
		Entity: vc.vm("DC0_C0_RP0_VM0").Reference(), Msg: "shutting down"})
	b.ok(err)
	if b.happened("event", "DC0_C0_RP0_VM0") < 0 {
		t.Fatal("lost")
	}
}

// The program says where everything is, and ends with its parent.
func TestReadyAndOrphaned(t *testing.T) {
	in, parent, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, stdout := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- run([]string{"-hosts", "1", "-vms", "1", "-esxi-port", "0", "-die-with-stdin", "-other-cluster-vms", "1"}, in, stdout)
	}()
	var ready Ready
	if err := json.NewDecoder(out).Decode(&ready); err != nil {
		t.Fatal(err)
	}
	if len(ready.Hosts) != 1 || ready.Hosts[0].Name != "127.0.1.1" || ready.Hosts[0].UUID == "" || len(ready.VMs) != 1 || len(ready.Others) != 1 {
		t.Fatalf("%+v", ready)
	}
	_ = parent.Close()
	select {
	case err := <-ended:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("an orphan")
	}
}

// What cannot be built is refused before anything is built.
func TestOptions(t *testing.T) {
	for _, args := range [][]string{{"-hosts", "0"}, {"-hosts", "300"}, {"-vms", "0", "-vcenter-vm", "x"}, {"-cert", "x"}, {"-vms", "-1"}, {"stray"}} {
		if _, err := parseOptions(args, io.Discard); err == nil {
			t.Error("accepted:", args)
		}
	}
	o, err := parseOptions([]string{"-password", "p"}, io.Discard)
	if err != nil || o.ESXiUser != "root" || o.ESXiPassword != "p" {
		t.Fatal(o, err)
	}
}

// The tags are there under the paths of vSphere 7 and later too.
func TestTagsNewPaths(t *testing.T) {
	b := start(t, nil)
	vc := b.vcenter()
	key := ""
	call := func(method, path string, body any, want int, into any) {
		t.Helper()
		data, _ := json.Marshal(body)
		r, _ := http.NewRequestWithContext(b.ctx, method, "https://"+b.site.vcenter.door.address+"/api"+path, strings.NewReader(string(data)))
		if key == "" {
			r.SetBasicAuth(b.site.options.User, b.site.options.Password)
		}
		r.Header.Set(vapiHeader, key)
		res, err := raw(vc).Client.Transport.RoundTrip(r)
		b.ok(err)
		defer res.Body.Close()
		answer, _ := io.ReadAll(res.Body)
		if res.StatusCode != want {
			t.Fatalf("%s %s: %d %s", method, path, res.StatusCode, answer)
		}
		if into != nil {
			b.ok(json.Unmarshal(answer, into))
		}
	}
	call("GET", "/cis/tagging/tag", nil, 401, nil)
	call("POST", "/session", nil, 201, &key)
	var category, tag string
	call("POST", "/cis/tagging/category", map[string]any{"name": "tier", "description": "", "cardinality": "SINGLE", "associable_types": []string{"VirtualMachine"}}, 201, &category)
	call("POST", "/cis/tagging/tag", map[string]any{"name": "1", "description": "", "category_id": category}, 201, &tag)
	var ids []string
	call("GET", "/cis/tagging/category", nil, 200, &ids)
	call("POST", "/cis/tagging/tag?action=list-tags-for-category", map[string]any{"category_id": category}, 200, &ids)
	if len(ids) != 1 || ids[0] != tag {
		t.Fatal(ids)
	}
	var named struct {
		Name     string
		Category string `json:"category_id"`
	}
	call("GET", "/cis/tagging/tag/"+tag, nil, 200, &named)
	if named.Name != "1" || named.Category != category {
		t.Fatal(named)
	}
	type object struct {
		Type string `json:"type"`
		ID   string `json:"id"`
	}
	vm := object{"VirtualMachine", vc.vm("DC0_C0_RP0_VM1").Reference().Value}
	call("POST", "/cis/tagging/tag-association/"+tag+"?action=list-attached-objects", nil, 200, &[]object{})
	call("POST", "/cis/tagging/tag-association/"+tag+"?action=attach", map[string]any{"object_id": vm}, 204, nil)
	var objects []object
	call("POST", "/cis/tagging/tag-association/"+tag+"?action=list-attached-objects", nil, 200, &objects)
	if len(objects) != 1 || objects[0] != vm {
		t.Fatal(objects)
	}
	var rows []struct {
		Tag     string   `json:"tag_id"`
		Objects []object `json:"object_ids"`
	}
	call("POST", "/cis/tagging/tag-association?action=list-attached-objects-on-tags", map[string]any{"tag_ids": []string{tag}}, 200, &rows)
	if len(rows) != 1 || rows[0].Tag != tag || len(rows[0].Objects) != 1 || rows[0].Objects[0] != vm {
		t.Fatal(rows)
	}
	call("GET", "/cis/tagging/tag/none", nil, 404, nil)
	call("DELETE", "/session", nil, 204, nil)
	call("GET", "/cis/tagging/tag", nil, 401, nil)
}
