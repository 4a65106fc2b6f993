package main

import (
	"fmt"
	"testing"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"
)

func (b *bench) vcls() map[string]bool {
	b.site.plant.mu.Lock()
	defer b.site.plant.mu.Unlock()
	found := map[string]bool{}
	for _, v := range b.site.plant.vclsVMs() {
		if v.isOn() {
			found[v.InstanceUUID] = true
		}
	}
	return found
}

// vCLS VMs respawn when stopped, vanish in retreat mode, and come back as others.
func TestVCLS(t *testing.T) {
	b := start(t, func(o *Options) { o.Vcls, o.Timing.VclsMs = 3, 50 })
	vc := b.vcenter()
	first := b.vcls()
	if len(first) != 3 {
		t.Fatal(first)
	}
	name := b.site.plant.vclsVMs()[0].Name
	if by := vc.read(vc.vm(name), "config.managedBy").(types.ManagedByInfo); by.Type != "cluster-agent" {
		t.Fatal(by)
	}
	b.ok(b.await(vc.vm(name).PowerOff(b.ctx)))
	b.until("respawned", func() bool { return len(b.vcls()) == 3 })
	cluster := b.site.vcenter.model.Map().Any("ClusterComputeResource").Reference()
	for _, c := range b.site.vcenter.model.Map().All("ClusterComputeResource") {
		if c.Entity().Name == clusterName {
			cluster = c.Reference()
		}
	}
	options := object.NewOptionManager(raw(vc), *vc.ServiceContent.Setting)
	set := func(value string) {
		b.ok(options.Update(b.ctx, []types.BaseOptionValue{
			&types.OptionValue{Key: fmt.Sprintf("config.vcls.clusters.%s.enabled", cluster.Value), Value: value}}))
	}
	set("false")
	b.until("retreated", func() bool { return len(b.vcls()) == 0 })
	b.until("told", func() bool { return b.happened("vcls.removed", name) > 0 })
	set("true")
	b.until("back", func() bool { return len(b.vcls()) == 3 })
	for id := range b.vcls() {
		if first[id] {
			t.Fatal("an old UUID came back")
		}
	}
}

// vSphere 9 knows no such option.
func TestNoVCLS(t *testing.T) {
	b := start(t, func(o *Options) { o.VclsMode = "none" })
	vc := b.vcenter()
	b.refused(object.NewOptionManager(raw(vc), *vc.ServiceContent.Setting).Update(b.ctx, []types.BaseOptionValue{
		&types.OptionValue{Key: "config.vcls.clusters.domain-c1.enabled", Value: "false"}}), "InvalidName")
}

// A guest with a question stops only when it is answered, and an answer is one of the choices.
func TestQuestion(t *testing.T) {
	b := start(t, nil)
	vc, name := b.vcenter(), "DC0_C0_RP0_VM0"
	b.post("/vm?name=" + name + "&question=why")
	b.ok(vc.vm(name).ShutdownGuest(b.ctx))
	b.refused(vc.vm(name).Answer(b.ctx, questionID, "9"), "InvalidArgument")
	if b.isOff(name)() {
		t.Fatal("stopped with a question pending")
	}
	b.ok(vc.vm(name).Answer(b.ctx, questionID, "1"))
	b.until("off after the answer", b.isOff(name))
}

// A fault tolerant pair is ruled through its primary alone.
func TestPair(t *testing.T) {
	b := start(t, nil)
	vc, one, two := b.vcenter(), "DC0_C0_RP0_VM0", "DC0_C0_RP0_VM1"
	b.post("/vm?name=" + one + "&ft=primary&pair=" + two)
	if info := vc.read(vc.vm(two), "config.ftInfo").(types.FaultToleranceConfigInfo); info.Role != 2 {
		t.Fatal(info)
	}
	b.refused(vc.vm(two).ShutdownGuest(b.ctx), "InvalidOperationOnSecondaryVm")
	b.ok(b.await(vc.vm(one).PowerOff(b.ctx)))
	b.until("both off", b.isOff(two))
	b.refused(vc.powerOn(two), "InvalidOperationOnSecondaryVm")
	b.ok(vc.powerOn(one))
	if b.isOff(two)() {
		t.Fatal("the secondary did not start")
	}
}

// An agent VM goes and comes with its host's maintenance mode, by its manager's hand.
func TestAgentVM(t *testing.T) {
	b := start(t, func(o *Options) { o.VMs = 1 })
	vc, name := b.vcenter(), "DC0_C0_RP0_VM0"
	b.post("/vm?name=" + name + "&managed-by=com.example/agent")
	b.ok(vc.enter(0, 5))
	if !b.isOff(name)() {
		t.Fatal("still on")
	}
	b.ok(b.await(vc.host(0).ExitMaintenanceMode(b.ctx, 5)))
	if b.isOff(name)() {
		t.Fatal("not on again")
	}
}

// A manager that takes its time holds maintenance mode up, and brings its agent VM back only when that time is over.
func TestAgentVMInItsManagersTime(t *testing.T) {
	b := start(t, func(o *Options) { o.VMs, o.Timing.AgentStopMs, o.Timing.AgentStartMs = 1, 50, 50 })
	vc, name := b.vcenter(), "DC0_C0_RP0_VM0"
	b.post("/vm?name=" + name + "&managed-by=com.example/agent")
	b.ok(vc.enter(0, 5))
	if !b.isOff(name)() {
		t.Fatal("entered before its manager had stopped it")
	}
	b.ok(b.await(vc.host(0).ExitMaintenanceMode(b.ctx, 5)))
	b.until("on again", func() bool { return !b.isOff(name)() })
	if b.happened("vm.on", name) < b.happened("maintenance.off", b.hostName(0)) {
		t.Fatal("on before the host took it")
	}
}

// A lost VM is shown as such and takes no call.
func TestLostVM(t *testing.T) {
	b := start(t, nil)
	vc, name := b.vcenter(), "DC0_C0_RP0_VM0"
	for _, state := range []string{"inaccessible", "orphaned", "invalid"} {
		b.post("/vm?name=" + name + "&connection=" + state)
		if _, shown := vc.vmState(name); string(shown) != state {
			t.Fatal(shown)
		}
		b.refused(vc.vm(name).ShutdownGuest(b.ctx), "InvalidState")
	}
	b.post("/vm?name=" + name + "&connection=connected")
	b.ok(vc.vm(name).ShutdownGuest(b.ctx))
}

// Lockdown keeps all but exception users from the host's own face; a host let go of waits for ReconnectHost.
func TestLockdownAndDisconnected(t *testing.T) {
	b := start(t, nil)
	vc, o, h := b.vcenter(), b.site.options, b.site.plant.hosts[0]
	b.post("/host?name=" + h.Name + "&lockdown=normal")
	_, err := b.dial(h.Address, o.ESXiUser, o.ESXiPassword)
	b.refused(err, "NoPermission")
	if mode := vc.read(vc.host(0), "config.lockdownMode"); fmt.Sprint(mode) != "lockdownNormal" {
		t.Fatal(mode)
	}
	b.post("/host?name=" + h.Name + "&lockdown=normal&exceptions=" + o.ESXiUser)
	b.esxi(0)
	b.post("/host?name=" + h.Name + "&connection=disconnected")
	b.refused(vc.enter(0, 1), "HostNotConnected")
	b.ok(b.await(vc.host(0).Reconnect(b.ctx, nil, nil)))
	b.refused(vc.enter(0, 1), "Timedout")
}

// A host in standby has no power; one whose shutdown hangs keeps it until it is cut.
func TestStandbyAndHang(t *testing.T) {
	b := start(t, func(o *Options) { o.VMs = 0 })
	vc := b.vcenter()
	b.post("/host?name=" + b.hostName(0) + "&standby=1")
	if power := vc.read(vc.host(0), "runtime.powerState"); fmt.Sprint(power) != "standBy" || b.hostIs(0, func(h *Host) bool { return h.On })() {
		t.Fatal(power)
	}
	b.post("/host?name=" + b.hostName(1) + "&shutdown-hang=1")
	b.ok(vc.enter(1, 5))
	b.ok(vc.shutDownHost(1, false))
	if !b.hostIs(1, func(h *Host) bool { return h.On && h.Silent })() {
		t.Fatal("not hanging")
	}
	b.post("/host?name=" + b.hostName(1) + "&on=0")
}

// Automated DRS empties a host that enters maintenance mode; strict admission control does not let it enter.
func TestDRSAndAdmission(t *testing.T) {
	b := start(t, func(o *Options) { o.DRSMoves, o.HAStrict, o.Hosts = true, true, 3 })
	vc := b.vcenter()
	b.ok(vc.enter(0, 5))
	b.refused(vc.enter(1, 1), "Timedout")
	if b.hostIs(0, func(h *Host) bool { return h.running > 0 })() || b.isOff("DC0_C0_RP0_VM0")() {
		t.Fatal("not moved")
	}
}

// vSAN is shown, and what maintenance mode shall do with its data is in the journal.
func TestVSAN(t *testing.T) {
	b := start(t, func(o *Options) { o.VSAN, o.VMs = true, 0 })
	vc := b.vcenter()
	b.ok(b.await(vc.host(0).EnterMaintenanceMode(b.ctx, 5, false,
		&types.HostMaintenanceSpec{VsanMode: &types.VsanHostDecommissionMode{ObjectAction: "noAction"}})))
	var log []Entry
	b.get("/log", &log)
	for _, e := range log {
		if e.Method == "EnterMaintenanceMode_Task" && e.Detail == "noAction" {
			return
		}
	}
	t.Fatal(log)
}

// Without a vCenter only the hosts answer; and sessions expire when told to.
func TestStandalone(t *testing.T) {
	b := start(t, func(o *Options) { o.Standalone = true })
	if b.site.ready().VCenter != "" {
		t.Fatal("vCenter is there")
	}
	direct := b.esxi(0)
	b.ok(direct.vm("DC0_C0_RP0_VM0").ShutdownGuest(b.ctx))
	b.post("/sessions")
	_, err := methods.GetCurrentTime(b.ctx, raw(direct))
	b.refused(err, "NotAuthenticated")
}
