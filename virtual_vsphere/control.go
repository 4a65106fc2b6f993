package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/vmware/govmomi/vim25/types"
)

// maxWait bounds a long poll of the journal.
const maxWait = 60 * time.Second

// controlHandler is the control face: what a test does to the plant from outside, and what it wants to know.
func (s *Site) controlHandler() http.Handler {
	mux := http.NewServeMux()
	get := func(path string, answer func(*http.Request) (any, error)) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) { respond(w, r, answer) })
	}
	// A change is visible on every face when its POST returns.
	post := func(path string, change func(url.Values) error) {
		mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
			respond(w, r, func(r *http.Request) (any, error) {
				if err := r.ParseForm(); err != nil {
					return nil, err
				}
				if err := change(r.Form); err != nil {
					return nil, err
				}
				s.plant.flush()
				return map[string]bool{"ok": true}, nil
			})
		})
	}
	get("/state", func(*http.Request) (any, error) { return s.state(), nil })
	get("/count", func(*http.Request) (any, error) { return s.counts.report(), nil })
	get("/certificates", func(*http.Request) (any, error) { return s.certificates(), nil })
	get("/log", s.log)
	post("/log", func(q url.Values) error { s.plant.journal.clear(); return nil })
	post("/count", func(q url.Values) error { s.counts.clear(); return nil })
	post("/host", s.changeHost)
	post("/vm", s.changeVM)
	post("/move", s.moveVM)
	post("/fault", s.changeFaults)
	post("/vcenter", s.changeVCenter)
	post("/certificate", s.changeCertificate)
	post("/deny", s.changeDenials)
	post("/sessions", s.endSessions)
	post("/tier", s.changeTier)
	post("/timing", s.changeTiming)
	return mux
}

func respond(w http.ResponseWriter, r *http.Request, answer func(*http.Request) (any, error)) {
	w.Header().Set("Content-Type", "application/json")
	value, err := answer(r)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		value = map[string]string{"error": err.Error()}
	}
	_ = json.NewEncoder(w).Encode(value)
}

// hostState and vmState are lines of GET /state.
type hostState struct {
	Name        string `json:"name"`
	Cluster     string `json:"cluster"`
	Address     string `json:"address"`
	UUID        string `json:"uuid"`
	Serial      string `json:"serial"`
	On          bool   `json:"on"`
	Booting     bool   `json:"booting"`
	Silent      bool   `json:"silent"`
	Isolated    bool   `json:"isolated"`
	Maintenance bool   `json:"maintenance"`
	Connection  string `json:"connection"`
}

type vmState struct {
	Name         string `json:"name"`
	InstanceUUID string `json:"instance_uuid"`
	Path         string `json:"path"`
	Host         string `json:"host"`
	Cluster      string `json:"cluster"`
	Power        string `json:"power"`
	Tools        bool   `json:"tools"`
	CleanOff     bool   `json:"clean_off"`
	Template     bool   `json:"template"`
	Hangs        bool   `json:"hangs"`
	Question     string `json:"question,omitempty"`
	VCenter      bool   `json:"vcenter"`
}

func (s *Site) state() any {
	p := s.plant
	p.mu.Lock()
	defer p.mu.Unlock()
	hosts, vms := []hostState{}, []vmState{}
	for _, h := range p.hosts {
		connection := "connected"
		if h.Disconnected {
			connection = "disconnected"
		} else if !h.answers() {
			connection = "notResponding"
		}
		hosts = append(hosts, hostState{h.Name, h.Cluster, h.Address, h.UUID, h.Serial, h.On, h.Booting, h.Silent, h.Isolated, h.Maintenance, connection})
	}
	for _, v := range p.vms {
		vms = append(vms, vmState{v.Name, v.InstanceUUID, v.Path, v.Host.Name, v.Host.Cluster, string(v.Power),
			v.ToolsRunning, v.CleanOff, v.Template, v.Hangs, v.Question, v == p.vcenter.vm})
	}
	c := p.vcenter
	return map[string]any{
		"n": p.journal.position(), "hosts": hosts, "vms": vms, "clusters": p.clusters, "timing": p.timing,
		"vcenter": map[string]any{"up": c.Answering && !c.Cut, "answering": c.Answering, "starting": c.Starting, "cut": c.Cut},
	}
}

// log answers at once, or with since= and wait= as soon as there is something newer.
func (s *Site) log(r *http.Request) (any, error) {
	since, err := number(r.URL.Query(), "since", 0)
	if err != nil {
		return nil, err
	}
	wait, err := strconv.ParseFloat(first(r.URL.Query(), "wait", "0"), 64)
	if err != nil {
		return nil, fmt.Errorf("wait: %w", err)
	}
	limit := min(time.Duration(wait*float64(time.Second)), maxWait)
	ctx, cancel := context.WithTimeout(r.Context(), limit)
	defer cancel()
	return s.plant.journal.since(ctx, since), nil
}

// changeHost is the BMC: on=1 boots, on=0 cuts the power, on=0&graceful=1 presses the button, which ESXi obeys.
func (s *Site) changeHost(q url.Values) error {
	p := s.plant
	p.mu.Lock()
	h := p.host(q.Get("name"))
	p.mu.Unlock()
	if h == nil {
		return fmt.Errorf("no host %q", q.Get("name"))
	}
	on, err := flagOf(q, "on", nil)
	if err != nil {
		return err
	}
	maintenance, err := flagOf(q, "maintenance", nil)
	if err != nil {
		return err
	}
	timed, err := p.changeDurations(q, map[string]**int{"boot-ms": &h.BootMs, "off-ms": &h.OffMs})
	if err != nil {
		return err
	}
	if ways, err := p.changeWays(h, q); err != nil || ways {
		return err
	}
	if on != nil && !*on && q.Get("graceful") == "1" {
		p.shutDown(h)
		return nil
	}
	isolated, err := flagOf(q, "isolated", nil)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if isolated != nil {
		p.isolate(h, *isolated)
	}
	if maintenance != nil {
		if h.Maintenance != *maintenance {
			p.note(map[bool]string{true: "maintenance.on", false: "maintenance.off"}[*maintenance], h.Name, h.Name)
		}
		h.Maintenance = *maintenance
		p.touchHost(h)
	}
	switch {
	case on == nil && maintenance == nil && isolated == nil && !timed:
		return errors.New("on=0|1, maintenance=0|1 or isolated=0|1")
	case on != nil && *on:
		p.pressPower(h)
	case on != nil:
		p.cutPower(h)
	}
	return nil
}

// changeVM changes what a VM is, or what it does, past every check.
func (s *Site) changeVM(q url.Values) error {
	p := s.plant
	p.mu.Lock()
	defer p.mu.Unlock()
	v := p.vm(q.Get("name"))
	if v == nil {
		return fmt.Errorf("no VM %q", q.Get("name"))
	}
	var err error
	if v.BootMs, err = duration(q, "boot-ms", v.BootMs); err != nil {
		return err
	}
	if v.GuestMs, err = number(q, "guest-ms", v.GuestMs); err != nil {
		return err
	}
	for key, target := range map[string]*bool{"hang": &v.Hangs, "power-hang": &v.PowerHangs,
		"asks-moved": &v.AsksMoved, "template": &v.Template} {
		value, err := flagOf(q, key, target)
		if err != nil {
			return err
		}
		*target = *value
	}
	tools, err := flagOf(q, "tools", &v.HasTools)
	if err != nil {
		return err
	}
	v.HasTools = *tools
	if q.Has("question") {
		v.Question = q.Get("question")
		p.journal.add(Entry{What: "vm.question", Object: v.Name, Host: v.Host.Name, Detail: v.Question})
	}
	if err := p.changeBonds(v, q); err != nil {
		return err
	}
	if err := p.forcePower(v, q.Get("power")); err != nil {
		return err
	}
	if q.Has("tools") {
		v.ToolsRunning = v.HasTools && v.isOn()
	}
	p.touchVM(v)
	return nil
}

// moveVM is a vMotion, as DRS does it: the VM keeps running.
func (s *Site) moveVM(q url.Values) error {
	s.moving.Lock()
	defer s.moving.Unlock()
	p := s.plant
	p.mu.Lock()
	v, h := p.vm(q.Get("vm")), p.host(q.Get("host"))
	already := v != nil && v.Host == h
	p.mu.Unlock()
	if v == nil || h == nil {
		return fmt.Errorf("no VM %q or no host %q", q.Get("vm"), q.Get("host"))
	}
	if already {
		return nil
	}
	s.move(v, h)
	p.mu.Lock()
	p.note("vm.moved", v.Name, h.Name)
	p.mu.Unlock()
	return nil
}

// forcePower is a power change without a question asked; a template is off. mu is held.
func (p *Plant) forcePower(v *VM, power string) error {
	if v.Template && v.isOn() {
		power = "off"
	}
	switch {
	case power == "":
	case power == "on":
		if !v.isOn() {
			p.turnOn(v)
		}
	case power == "off":
		if v.Power != types.VirtualMachinePowerStatePoweredOff {
			p.turnOff(v, false, "")
		}
	case power == "suspended":
		p.turnSuspended(v)
	default:
		return fmt.Errorf("power %q: on, off or suspended", power)
	}
	return nil
}

func (s *Site) changeFaults(q url.Values) error {
	if q.Get("clear") == "1" {
		s.faults.clear()
		return nil
	}
	count, err := number(q, "count", 0)
	if err != nil {
		return err
	}
	return s.faults.add(FaultRule{Method: q.Get("method"), Name: q.Get("name"), Face: q.Get("face"),
		Kind: q.Get("kind"), Fault: q.Get("fault"), Count: count})
}

func (s *Site) changeVCenter(q url.Values) error {
	up, err := flagOf(q, "up", nil)
	if err != nil {
		return err
	}
	if up == nil {
		return errors.New("up=0 or up=1")
	}
	s.plant.mu.Lock()
	defer s.plant.mu.Unlock()
	s.plant.cutVCenter(!*up)
	return nil
}

func (s *Site) changeDenials(q url.Values) error {
	denial := Denial{Privilege: q.Get("privilege"), Entity: q.Get("entity"), Face: q.Get("face")}
	if q.Get("clear") == "1" {
		s.denials.remove(denial)
		return nil
	}
	if rule := q.Get("rule"); rule != "" {
		return s.denials.addText(rule)
	}
	if denial.Privilege == "" || denial.Entity == "" {
		return errors.New("privilege= and entity=, or rule=PRIVILEGE@ENTITY")
	}
	return s.denials.add(denial)
}

func (s *Site) changeTiming(q url.Values) error {
	p := s.plant
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.timing
	for key, target := range map[string]*int{"guest-ms": &t.GuestMs, "vm-boot-ms": &t.VMBootMs, "boot-ms": &t.BootMs,
		"host-off-ms": &t.HostOffMs, "maintenance-ms": &t.MaintenanceMs, "vcenter-boot-ms": &t.VCenterBootMs,
		"vcls-ms": &t.VclsMs, "agent-stop-ms": &t.AgentStopMs, "agent-start-ms": &t.AgentStartMs, "call-delay-ms": &t.CallDelayMs} {
		value, err := number(q, key, *target)
		if err != nil {
			return err
		}
		*target = value
	}
	p.timing = t
	return nil
}

func first(q url.Values, key, otherwise string) string {
	if q.Has(key) {
		return q.Get(key)
	}
	return otherwise
}

func number(q url.Values, key string, otherwise int) (int, error) {
	if !q.Has(key) {
		return otherwise, nil
	}
	n, err := strconv.Atoi(q.Get(key))
	if err != nil {
		return 0, fmt.Errorf("%s=%q is not a number", key, q.Get(key))
	}
	return n, nil
}

func flagOf(q url.Values, key string, otherwise *bool) (*bool, error) {
	if !q.Has(key) {
		return otherwise, nil
	}
	b, err := strconv.ParseBool(q.Get(key))
	if err != nil {
		return nil, fmt.Errorf("%s=%q: 0 or 1", key, q.Get(key))
	}
	return &b, nil
}
