package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vmware/govmomi/simulator"
	vapi "github.com/vmware/govmomi/vapi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// vcenterFace is the name of vCenter's face in the journal, in fault rules and in denials.
const vcenterFace = "vcenter"

// maxCallBytes bounds a request: the largest real one names some ten thousand objects.
const maxCallBytes = 64 << 20

// hangLimit ends a call that a rule let hang, should its client have no time limit of its own.
const hangLimit = 10 * time.Minute

// Face is one address that speaks vSphere: vCenter's, or one host's own. It holds a model of the simulator and the
// way between the model's objects and the plant's.
type Face struct {
	name  string
	host  *Host // nil = vCenter
	site  *Site
	model *simulator.Model
	mux   http.Handler
	door  *Door
	cert  *Cert // nil = plain text
	mould *Mould

	mu       sync.Mutex
	vms      map[types.ManagedObjectReference]*VM
	hosts    map[types.ManagedObjectReference]*Host
	vmObject map[*VM]*simulator.VirtualMachine
	hostObj  map[*Host]*simulator.HostSystem
	shown    map[*VM]vmView // what the objects hold now: only what differs is pushed
	users    map[string]string
	vapiKeys map[string]bool
	tasks    atomic.Int64
}

func newFace(site *Site, name string, host *Host, model *simulator.Model) *Face {
	return &Face{
		name: name, host: host, site: site, model: model,
		vms: map[types.ManagedObjectReference]*VM{}, hosts: map[types.ManagedObjectReference]*Host{},
		vmObject: map[*VM]*simulator.VirtualMachine{}, hostObj: map[*Host]*simulator.HostSystem{}, shown: map[*VM]vmView{},
		users: map[string]string{}, vapiKeys: map[string]bool{},
	}
}

// prepare gives the model its credentials, its handlers and its address. The simulator could serve itself, but then
// nothing of ours would see a call before it, nor could its address die and return.
func (f *Face) prepare(address, user, password string) error {
	config := f.cert.config()
	door, err := newDoor(address, config, f)
	if err != nil {
		return err
	}
	f.door = door
	scheme := "https"
	if config == nil {
		scheme = "http"
	}
	service := f.model.Service
	registry := f.model.Map()
	service.Listen = &url.URL{Scheme: scheme, Host: door.address, Path: registry.Path, User: url.UserPassword(user, password)}
	sessions := registry.SessionManager()
	sessions.ServiceHostName = door.address
	if config != nil {
		sessions.TLS = func() *tls.Config { return &tls.Config{Certificates: []tls.Certificate{*f.cert.pair.Load()}} }
	}
	service.RegisterSDK(registry, registry.Path+"/vimService")
	service.ServeMux.HandleFunc(registry.Path+"/vimServiceVersions.xml", service.ServiceVersions)
	if f.host == nil {
		patterns, handler := vapi.New(service.Listen, registry)
		for _, pattern := range patterns {
			service.Handle(pattern, handler)
		}
	}
	registry.Handler = f.intercept
	f.mux = service.ServeMux
	return nil
}

// newContext is for work outside a call. The simulator tells owners of locks apart by their context, so each piece of
// work needs one of its own.
func (f *Face) newContext() *simulator.Context {
	c := *f.model.Service.Context
	return &c
}

// ServeHTTP is every request to this face: what the network does to it, then what the service does.
func (f *Face) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if f.host == nil && !f.site.vcenterAnswers() {
		http.Error(w, "Service Unavailable", http.StatusServiceUnavailable)
		return
	}
	switch {
	case r.Method == http.MethodPost && strings.HasPrefix(r.URL.Path, "/sdk"):
		f.serveSOAP(w, r)
	case strings.HasPrefix(r.URL.Path, "/api") || strings.HasPrefix(r.URL.Path, "/rest"):
		f.serveREST(w, r)
	default:
		f.mux.ServeHTTP(w, r)
	}
}

func (f *Face) serveSOAP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxCallBytes))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	call := peekCall(body)
	object := f.objectName(call.this)
	f.site.counts.add(f.name, call.method)
	if changesSomething(call.method) {
		f.site.plant.journal.add(Entry{What: "call", Method: call.method, Object: object, Face: f.name, User: f.userOf(r), Detail: vsanAction(body)})
	}
	if ms := f.site.plant.callDelay(); ms > 0 {
		time.Sleep(time.Duration(ms) * time.Millisecond)
	}
	switch rule := f.site.faults.take(f.name, call.method, object, kindTimeout, kindDrop); {
	case rule == nil:
		f.mux.ServeHTTP(w, r)
		f.learnUser(call, w.Header())
	case rule.Kind == kindTimeout:
		select {
		case <-r.Context().Done():
		case <-time.After(hangLimit):
		}
		panic(http.ErrAbortHandler)
	default: // the call is done, its answer is lost
		f.mux.ServeHTTP(nowhere{}, r)
		panic(http.ErrAbortHandler)
	}
}

// nowhere swallows an answer.
type nowhere struct{}

func (nowhere) Header() http.Header         { return http.Header{} }
func (nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (nowhere) WriteHeader(int)             {}

// objectName is the inventory name of what a call is made on, or its reference where it has no name.
func (f *Face) objectName(ref types.ManagedObjectReference) string {
	f.mu.Lock()
	vm, host := f.vms[ref], f.hosts[ref]
	f.mu.Unlock()
	switch {
	case vm != nil:
		return vm.Name
	case host != nil:
		return host.Name
	}
	if c, ok := f.model.Map().Get(ref).(*simulator.ClusterComputeResource); ok {
		return c.Name
	}
	return ref.Value
}

// vmOf and hostOf lead from a reference of this face to the plant; nil = not a thing of the plant.
func (f *Face) vmOf(ref types.ManagedObjectReference) *VM {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.vms[ref]
}

func (f *Face) hostOf(ref types.ManagedObjectReference) *Host {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.hosts[ref]
}

// hostObject and hostRef are how this face shows a host; nil and empty = not at all.
func (f *Face) hostObject(h *Host) *simulator.HostSystem {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.hostObj[h]
}

// hostRef wants mu of the face held.
func (f *Face) hostRef(h *Host) types.ManagedObjectReference {
	if o := f.hostObj[h]; o != nil {
		return o.Self
	}
	return types.ManagedObjectReference{}
}

// adoptHost and adopt tie an object of the model to a host or a VM of the plant.
func (f *Face) adoptHost(h *Host, object *simulator.HostSystem) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hosts[object.Self] = h
	f.hostObj[h] = object
}

func (f *Face) adopt(v *VM, object *simulator.VirtualMachine, holds vmView) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.vms[object.Self] = v
	f.vmObject[v] = object
	f.shown[v] = holds
}

// release forgets a VM that is no longer registered here; it answers what stood for it.
func (f *Face) release(v *VM) *simulator.VirtualMachine {
	f.mu.Lock()
	defer f.mu.Unlock()
	object := f.vmObject[v]
	if object != nil {
		delete(f.vms, object.Self)
		delete(f.vmObject, v)
		delete(f.shown, v)
	}
	return object
}

// forgetSessions ends every session of both protocols: a service that died knows none of them when it is back.
func (f *Face) forgetSessions() {
	f.mu.Lock()
	f.users = map[string]string{}
	f.vapiKeys = map[string]bool{}
	f.mu.Unlock()
	manager := f.model.Map().SessionManager()
	own := &simulator.Session{Registry: simulator.NewRegistry(), Map: f.model.Map()}
	view := own.Get(manager.Self).(*simulator.SessionManager)
	ctx := &simulator.Context{Context: context.Background(), Session: own, Map: f.model.Map()}
	for _, s := range view.SessionList {
		manager.TerminateSession(ctx, &types.TerminateSession{This: manager.Self, SessionId: []string{s.Key}})
	}
}
