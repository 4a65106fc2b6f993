package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/vmware/govmomi"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/property"
	"github.com/vmware/govmomi/view"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

func TestMain(m *testing.M) {
	log.SetOutput(io.Discard)
	os.Exit(m.Run())
}

// bench is a site with what a test needs around it.
type bench struct {
	*testing.T
	site *Site
	ctx  context.Context
}

// start builds a site that is quick: every duration is some hundredths of a second.
func start(t *testing.T, change func(*Options)) *bench {
	t.Helper()
	o := defaultOptions()
	o.ESXiPort = 0
	o.Hosts, o.VMs = 2, 4
	o.Timing = Timing{GuestMs: 40, VMBootMs: 40, BootMs: 60, HostOffMs: 60, MaintenanceMs: 10, VCenterBootMs: 100}
	if change != nil {
		change(&o)
	}
	site, err := newSite(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(func() { cancel(); site.Close() })
	return &bench{T: t, site: site, ctx: ctx}
}

func withVCenterVM(o *Options) { o.VCenterVM = "vcsa" }

// client is a session on one face.
type client struct {
	*govmomi.Client
	b *bench
}

func (b *bench) dial(address, user, password string) (*client, error) {
	u := &url.URL{Scheme: "https", Host: address, Path: "/sdk", User: url.UserPassword(user, password)}
	c, err := govmomi.NewClient(b.ctx, u, true)
	if err != nil {
		return nil, err
	}
	return &client{c, b}, nil
}

func (b *bench) vcenter() *client {
	b.Helper()
	c, err := b.dial(b.site.vcenter.door.address, b.site.options.User, b.site.options.Password)
	b.ok(err)
	return c
}

func (b *bench) esxi(i int) *client {
	b.Helper()
	c, err := b.dial(b.site.plant.hosts[i].Address, b.site.options.ESXiUser, b.site.options.ESXiPassword)
	b.ok(err)
	return c
}

func (b *bench) ok(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// until waits for a condition; the plant has no clock that a test could turn.
func (b *bench) until(what string, is func() bool) {
	b.Helper()
	for end := time.Now().Add(10 * time.Second); !is(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			b.Fatalf("never: %s", what)
		}
	}
}

// refusal is the name of the fault in err: of the call, or of its task.
func refusal(err error) string {
	if err == nil {
		return ""
	}
	var fault any
	var task interface{ Fault() types.BaseMethodFault }
	switch {
	case soap.IsSoapFault(err):
		fault = soap.ToSoapFault(err).VimFault()
	case soap.IsVimFault(err):
		fault = soap.ToVimFault(err)
	case errors.As(err, &task):
		fault = task.Fault()
	default:
		return err.Error()
	}
	kind := reflect.TypeOf(fault)
	if kind != nil && kind.Kind() == reflect.Pointer {
		kind = kind.Elem()
	}
	if kind == nil {
		return err.Error()
	}
	return kind.Name()
}

func (b *bench) refused(err error, want string) {
	b.Helper()
	if got := refusal(err); got != want {
		b.Fatalf("got %q (%v), want %q", got, err, want)
	}
}

// find lists all objects of a kind with some properties.
func find[T any](c *client, kind string, properties ...string) []T {
	c.b.Helper()
	m := view.NewManager(c.Client.Client)
	v, err := m.CreateContainerView(c.b.ctx, c.ServiceContent.RootFolder, []string{kind}, true)
	c.b.ok(err)
	defer func() { _ = v.Destroy(c.b.ctx) }()
	var out []T
	c.b.ok(v.Retrieve(c.b.ctx, []string{kind}, properties, &out))
	return out
}

func (c *client) vm(name string) *object.VirtualMachine {
	c.b.Helper()
	for _, v := range find[mo.VirtualMachine](c, "VirtualMachine", "name") {
		if v.Name == name {
			return object.NewVirtualMachine(c.Client.Client, v.Self)
		}
	}
	c.b.Fatalf("no VM %s here", name)
	return nil
}

func (c *client) host(i int) *object.HostSystem {
	c.b.Helper()
	for _, h := range find[mo.HostSystem](c, "HostSystem", "name") {
		if h.Name == c.b.site.plant.hosts[i].Name {
			return object.NewHostSystem(c.Client.Client, h.Self)
		}
	}
	c.b.Fatalf("no host %d here", i)
	return nil
}

func (c *client) read(ref mo.Reference, property_ string) any {
	c.b.Helper()
	var got types.AnyType
	pc := property.DefaultCollector(c.Client.Client)
	res, err := pc.RetrieveProperties(c.b.ctx, types.RetrieveProperties{SpecSet: []types.PropertyFilterSpec{{
		ObjectSet: []types.ObjectSpec{{Obj: ref.Reference()}},
		PropSet:   []types.PropertySpec{{Type: ref.Reference().Type, PathSet: []string{property_}}},
	}}})
	c.b.ok(err)
	for _, p := range res.Returnval[0].PropSet {
		got = p.Val
	}
	return got
}

func (c *client) vmState(name string) (power types.VirtualMachinePowerState, connection types.VirtualMachineConnectionState) {
	v := c.vm(name)
	return c.read(v, "runtime.powerState").(types.VirtualMachinePowerState), c.read(v, "runtime.connectionState").(types.VirtualMachineConnectionState)
}

func (c *client) powerOn(name string) error {
	return c.b.await(c.vm(name).PowerOn(c.b.ctx))
}

func (b *bench) await(task *object.Task, err error) error {
	if err != nil {
		return err
	}
	return task.Wait(b.ctx)
}

func (c *client) enter(i int, timeoutS int32) error {
	return c.b.await(c.host(i).EnterMaintenanceMode(c.b.ctx, timeoutS, false, nil))
}

func (c *client) shutDownHost(i int, force bool) error {
	return c.b.await(c.shutDownHostTask(i, force))
}

func (c *client) shutDownHostTask(i int, force bool) (*object.Task, error) {
	res, err := methodsShutdownHost(c.b.ctx, c.Client.Client, c.host(i).Reference(), force)
	if err != nil {
		return nil, err
	}
	return object.NewTask(c.Client.Client, *res), nil
}

// post and get speak to the control face.
func (b *bench) post(path string) {
	b.Helper()
	res, err := http.Post("http://"+b.site.control.address+path, "", nil)
	b.ok(err)
	defer res.Body.Close()
	if body, _ := io.ReadAll(res.Body); res.StatusCode != http.StatusOK {
		b.Fatalf("POST %s: %s", path, body)
	}
}

func (b *bench) get(path string, into any) {
	b.Helper()
	res, err := http.Get("http://" + b.site.control.address + path)
	b.ok(err)
	defer res.Body.Close()
	b.ok(json.NewDecoder(res.Body).Decode(into))
}

func (b *bench) hostName(i int) string { return b.site.plant.hosts[i].Name }

// happened tells whether the journal has an entry, and where.
func (b *bench) happened(what, object string) int {
	var entries []Entry
	b.get("/log", &entries)
	for i, e := range entries {
		if e.What == what && e.Object == object {
			return i
		}
	}
	return -1
}

func (b *bench) isOff(name string) func() bool {
	return func() bool {
		b.site.plant.mu.Lock()
		defer b.site.plant.mu.Unlock()
		return !b.site.plant.vm(name).isOn()
	}
}

func (b *bench) hostIs(i int, is func(*Host) bool) func() bool {
	return func() bool {
		b.site.plant.mu.Lock()
		defer b.site.plant.mu.Unlock()
		return is(b.site.plant.hosts[i])
	}
}

func raw(c *client) *vim25.Client { return c.Client.Client }
