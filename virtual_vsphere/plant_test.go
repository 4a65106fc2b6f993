package main

import (
	"net"
	"net/url"
	"testing"
	"time"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// A whole night: guests off, hosts off, vCenter off by its own host, power back, vCenter back, VMs on.
func TestShutdownAndRestart(t *testing.T) {
	b := start(t, func(o *Options) { withVCenterVM(o); o.OtherClusterVMs = 2 })
	vc := b.vcenter()
	for _, v := range []string{"DC0_C0_RP0_VM1", "DC0_C0_RP0_VM2", "DC0_C0_RP0_VM3"} {
		b.ok(vc.vm(v).ShutdownGuest(b.ctx))
	}
	b.ok(vc.enter(1, 5))
	b.ok(vc.shutDownHost(1, false))
	direct := b.esxi(0)
	b.ok(direct.vm("vcsa").ShutdownGuest(b.ctx))
	b.until("vCenter's VM off", b.isOff("vcsa"))
	if _, err := net.Dial("tcp", b.site.vcenter.door.address); err == nil {
		t.Fatal("vCenter still answers without its VM")
	}
	b.ok(direct.enter(0, 5))
	_, err := direct.shutDownHostTask(0, false)
	b.ok(err)
	for i := range 2 {
		b.until("host off", b.hostIs(i, func(h *Host) bool { return !h.On }))
	}
	if _, err := net.Dial("tcp", b.site.plant.hosts[0].Address); err == nil {
		t.Fatal("a host without power answers")
	}

	b.post("/host?name=" + b.hostName(0) + "&on=1")
	b.post("/host?name=" + b.hostName(1) + "&on=1")
	b.until("host back", b.hostIs(0, (*Host).answers))
	direct = b.esxi(0)
	if in := direct.read(direct.host(0), "runtime.inMaintenanceMode"); in != true {
		t.Fatal("the host forgot its maintenance mode")
	}
	b.refused(direct.powerOn("vcsa"), "InvalidState")
	b.ok(b.await(direct.host(0).ExitMaintenanceMode(b.ctx, 5)))
	b.ok(direct.powerOn("vcsa"))
	b.until("vCenter back", b.site.vcenterAnswers)
	vc = b.vcenter()
	b.until("second host back", b.hostIs(1, (*Host).answers))
	b.ok(b.await(vc.host(1).ExitMaintenanceMode(b.ctx, 5)))
	b.ok(vc.powerOn("DC0_C0_RP0_VM1"))
	if b.happened("vm.off", "DC0_C0_RP0_VM1") > b.happened("maintenance.on", b.hostName(1)) {
		t.Fatal("maintenance mode before the last VM was off")
	}
	for _, name := range []string{"other-vm-1", "other-vm-2"} {
		if power, connection := vc.vmState(name); power != "poweredOn" || connection != "connected" {
			t.Fatalf("the other cluster was touched: %s is %s, %s", name, power, connection)
		}
	}
}

// A session of vCenter's earlier life is NotAuthenticated in the next.
func TestSessionsDieWithVCenter(t *testing.T) {
	b := start(t, withVCenterVM)
	vc := b.vcenter()
	vm := vc.vm("vcsa").Reference()
	b.post("/vm?name=vcsa&power=off")
	b.post("/vm?name=vcsa&power=on")
	b.until("vCenter back", b.site.vcenterAnswers)
	_, err := methods.GetCurrentTime(b.ctx, raw(vc))
	b.refused(err, "NotAuthenticated")
	err = vc.RetrieveOne(b.ctx, vm, []string{"name"}, &mo.VirtualMachine{})
	b.refused(err, "NotAuthenticated")
	b.vcenter()
}

// A cut network is not a death: the session goes on.
func TestSessionsOutliveACut(t *testing.T) {
	b := start(t, nil)
	vc := b.vcenter()
	b.post("/vcenter?up=0")
	if _, err := methods.GetCurrentTime(b.ctx, raw(vc)); err == nil {
		t.Fatal("reached through a cut")
	}
	b.post("/vcenter?up=1")
	_, err := methods.GetCurrentTime(b.ctx, raw(vc))
	b.ok(err)
}

// Wrong credentials are InvalidLogin on both faces; each face has credentials of its own.
func TestLogin(t *testing.T) {
	b := start(t, nil)
	o, host := b.site.options, b.site.plant.hosts[0].Address
	for _, c := range []struct{ address, user, password string }{
		{b.site.vcenter.door.address, o.User, "wrong"}, {b.site.vcenter.door.address, o.ESXiUser, o.ESXiPassword},
		{host, o.ESXiUser, "wrong"}, {host, o.User, o.Password},
	} {
		_, err := b.dial(c.address, c.user, c.password)
		b.refused(err, "InvalidLogin")
	}
	b.vcenter()
	b.esxi(0)
}

// A dead host: vCenter says notResponding and unknown, keeps the VMs' last power state, and finds them off later.
func TestHostDies(t *testing.T) {
	b := start(t, nil)
	vc := b.vcenter()
	b.post("/host?name=" + b.hostName(1) + "&on=0")
	if s := vc.read(vc.host(1), "runtime.connectionState"); s != types.HostSystemConnectionStateNotResponding {
		t.Fatal(s)
	}
	if s := vc.read(vc.host(1), "runtime.powerState"); s != types.HostSystemPowerStateUnknown {
		t.Fatal(s)
	}
	if power, connection := vc.vmState("DC0_C0_RP0_VM1"); power != "poweredOn" || connection != "disconnected" {
		t.Fatal(power, connection)
	}
	b.refused(vc.powerOn("DC0_C0_RP0_VM1"), "HostNotConnected")
	b.refused(vc.vm("DC0_C0_RP0_VM1").ShutdownGuest(b.ctx), "HostNotConnected")
	b.refused(vc.enter(1, 1), "HostNotConnected")
	b.post("/host?name=" + b.hostName(1) + "&on=1")
	b.until("host back", b.hostIs(1, (*Host).answers))
	b.site.plant.flush()
	if power, connection := vc.vmState("DC0_C0_RP0_VM1"); power != "poweredOff" || connection != "connected" {
		t.Fatal(power, connection)
	}
	b.ok(vc.powerOn("DC0_C0_RP0_VM1"))
	b.refused(vc.powerOn("DC0_C0_RP0_VM1"), "InvalidPowerState")
}

// A host's sessions die with it.
func TestHostForgetsSessions(t *testing.T) {
	b := start(t, nil)
	direct := b.esxi(0)
	b.post("/host?name=" + b.hostName(0) + "&on=0")
	b.post("/host?name=" + b.hostName(0) + "&on=1")
	b.until("host back", b.hostIs(0, (*Host).answers))
	_, err := methods.GetCurrentTime(b.ctx, raw(direct))
	b.refused(err, "NotAuthenticated")
}

// Maintenance mode waits for the last VM, gives up at its timeout, and can be cancelled.
func TestMaintenanceMode(t *testing.T) {
	b := start(t, nil)
	vc := b.vcenter()
	b.refused(vc.enter(0, 1), "Timedout")
	task, err := vc.host(0).EnterMaintenanceMode(b.ctx, 0, false, nil)
	b.ok(err)
	b.ok(task.Cancel(b.ctx))
	b.refused(task.Wait(b.ctx), "RequestCanceled")
	b.refused(b.await(vc.host(0).ExitMaintenanceMode(b.ctx, 1)), "InvalidState")

	task, err = vc.host(0).EnterMaintenanceMode(b.ctx, 0, false, nil)
	b.ok(err)
	b.post("/vm?name=DC0_C0_RP0_VM0&power=suspended")
	b.ok(vc.vm("DC0_C0_RP0_VM2").ShutdownGuest(b.ctx))
	b.ok(task.Wait(b.ctx))
	direct := b.esxi(0)
	if in := direct.read(direct.host(0), "runtime.inMaintenanceMode"); in != true {
		t.Fatal("the host's own face does not know")
	}
	b.refused(vc.powerOn("DC0_C0_RP0_VM2"), "InvalidState")
	b.refused(vc.enter(0, 1), "InvalidState")
}

// ShutdownHost without force needs maintenance mode; with force it kills the VMs, and management ends before power.
func TestShutdownHost(t *testing.T) {
	b := start(t, func(o *Options) { o.Timing.HostOffMs = 300 })
	vc := b.vcenter()
	b.refused(vc.shutDownHost(1, false), "InvalidState")
	b.ok(vc.shutDownHost(1, true))
	if !b.hostIs(1, func(h *Host) bool { return h.On && h.Silent })() {
		t.Fatal("the power went with the management")
	}
	b.until("off", b.hostIs(1, func(h *Host) bool { return !h.On }))
	if b.happened("vm.off", "DC0_C0_RP0_VM1") < 0 {
		t.Fatal("a VM outlived its host")
	}
}

// The guest decides: no tools, no shutdown; a guest that hangs stays on.
func TestGuestShutdown(t *testing.T) {
	b := start(t, nil)
	vc := b.vcenter()
	b.post("/vm?name=DC0_C0_RP0_VM0&tools=0")
	b.refused(vc.vm("DC0_C0_RP0_VM0").ShutdownGuest(b.ctx), "ToolsUnavailable")
	b.post("/vm?name=DC0_C0_RP0_VM1&hang=1")
	b.ok(vc.vm("DC0_C0_RP0_VM1").ShutdownGuest(b.ctx))
	b.ok(vc.vm("DC0_C0_RP0_VM2").ShutdownGuest(b.ctx))
	if s := vc.read(vc.vm("DC0_C0_RP0_VM2"), "runtime.powerState"); s != types.VirtualMachinePowerStatePoweredOn {
		t.Fatal("the call waited for the guest")
	}
	b.until("VM2 off", b.isOff("DC0_C0_RP0_VM2"))
	b.site.plant.flush()
	if clean := vc.read(vc.vm("DC0_C0_RP0_VM2"), "runtime.cleanPowerOff"); clean != true {
		t.Fatal("not a clean power-off")
	}
	b.refused(vc.vm("DC0_C0_RP0_VM2").ShutdownGuest(b.ctx), "InvalidPowerState")
	time.Sleep(100 * time.Millisecond)
	if b.isOff("DC0_C0_RP0_VM1")() {
		t.Fatal("a guest that hangs has stopped")
	}
	b.ok(b.await(vc.vm("DC0_C0_RP0_VM1").PowerOff(b.ctx)))
	b.ok(vc.powerOn("DC0_C0_RP0_VM2"))
	b.until("tools", func() bool { return b.happened("vm.tools", "DC0_C0_RP0_VM2") >= 0 })
}

// PowerOff that hangs is ended by TerminateVM, and by nothing else.
func TestTerminate(t *testing.T) {
	b := start(t, nil)
	vc := b.vcenter()
	b.post("/vm?name=DC0_C0_RP0_VM0&power-hang=1")
	task, err := vc.vm("DC0_C0_RP0_VM0").PowerOff(b.ctx)
	b.ok(err)
	time.Sleep(50 * time.Millisecond)
	if s := vc.read(task, "info.state"); s != types.TaskInfoStateRunning {
		t.Fatal(s)
	}
	_, err = methods.TerminateVM(b.ctx, raw(vc), &types.TerminateVM{This: vc.vm("DC0_C0_RP0_VM0").Reference()})
	b.ok(err)
	b.ok(task.Wait(b.ctx))
}

// What one face does the other shows by the time that the task is done.
func TestFacesAgree(t *testing.T) {
	b := start(t, nil)
	vc, direct := b.vcenter(), b.esxi(0)
	for range 10 {
		b.ok(b.await(direct.vm("DC0_C0_RP0_VM0").PowerOff(b.ctx)))
		if power, _ := vc.vmState("DC0_C0_RP0_VM0"); power != "poweredOff" {
			t.Fatal("vCenter is behind")
		}
		b.ok(vc.powerOn("DC0_C0_RP0_VM0"))
		if power, _ := direct.vmState("DC0_C0_RP0_VM0"); power != "poweredOn" {
			t.Fatal("the host is behind")
		}
	}
	for _, property := range []string{"config.uuid", "config.instanceUuid", "config.files.vmPathName", "config.template"} {
		if a, z := vc.read(vc.vm("DC0_C0_RP0_VM0"), property), direct.read(direct.vm("DC0_C0_RP0_VM0"), property); a != z {
			t.Fatalf("%s: %v and %v", property, a, z)
		}
	}
	for _, property := range []string{"name", "summary.hardware.uuid", "hardware.systemInfo.uuid", "hardware.systemInfo.serialNumber", "summary.config.port"} {
		if a, z := vc.read(vc.host(0), property), direct.read(direct.host(0), property); a != z || a == nil {
			t.Fatalf("%s: %v and %v", property, a, z)
		}
	}
}

// A VM of a dead host can be registered on a living one, and vCenter follows; a living host keeps its VMs.
func TestRegister(t *testing.T) {
	b := start(t, withVCenterVM)
	target := b.esxi(1)
	folders, err := object.NewDatacenter(raw(target), find[mo.Datacenter](target, "Datacenter", "name")[0].Self).Folders(b.ctx)
	b.ok(err)
	pool := object.NewResourcePool(raw(target), find[mo.ResourcePool](target, "ResourcePool", "name")[0].Self)
	path := "[LocalDS_0] vcsa/vcsa.vmx"
	b.refused(b.await(folders.VmFolder.RegisterVM(b.ctx, path, "", false, pool, nil)), "AlreadyExists")
	b.post("/host?name=" + b.hostName(0) + "&on=0")
	b.ok(b.await(folders.VmFolder.RegisterVM(b.ctx, path, "", false, pool, nil)))
	b.refused(b.await(folders.VmFolder.RegisterVM(b.ctx, path, "", false, pool, nil)), "AlreadyExists")

	b.post("/vm?name=vcsa&asks-moved=1")
	task, err := target.vm("vcsa").PowerOn(b.ctx)
	b.ok(err)
	b.until("question", func() bool { return b.happened("vm.asked", "vcsa") >= 0 })
	b.site.plant.flush()
	question := target.read(target.vm("vcsa"), "runtime.question").(types.VirtualMachineQuestionInfo)
	b.ok(target.vm("vcsa").Answer(b.ctx, question.Id, "1"))
	b.ok(task.Wait(b.ctx))
	b.until("vCenter back", b.site.vcenterAnswers)
	vc := b.vcenter()
	if host := vc.read(vc.vm("vcsa"), "runtime.host"); host != vc.host(1).Reference() {
		t.Fatal("vCenter shows the VM on", host)
	}
	b.post("/host?name=" + b.hostName(0) + "&on=1")
	b.until("host back", b.hostIs(0, (*Host).answers))
	for _, v := range find[mo.VirtualMachine](b.esxi(0), "VirtualMachine", "name") {
		if v.Name == "vcsa" {
			t.Fatal("registered on two hosts")
		}
	}
	b.post("/move?vm=vcsa&host=" + url.QueryEscape(b.hostName(0)))
	if host := vc.read(vc.vm("vcsa"), "runtime.host"); host != vc.host(0).Reference() {
		t.Fatal("vMotion: vCenter shows the VM on", host)
	}
	b.esxi(0).vm("vcsa")
}

// The settings that a shutdown changes can be read back and restored, and merge with what was there.
func TestClusterSettings(t *testing.T) {
	b := start(t, nil)
	vc := b.vcenter()
	cluster := object.NewClusterComputeResource(raw(vc), find[mo.ClusterComputeResource](vc, "ClusterComputeResource", "name")[0].Self)
	read := func() *types.ClusterConfigInfoEx {
		config, err := cluster.Configuration(b.ctx)
		b.ok(err)
		return config
	}
	was := read()
	if !*was.DasConfig.Enabled || !*was.DasConfig.AdmissionControlEnabled || was.DrsConfig.DefaultVmBehavior != types.DrsBehaviorFullyAutomated {
		t.Fatal("not protected at the start")
	}
	no := false
	b.ok(b.await(cluster.Reconfigure(b.ctx, &types.ClusterConfigSpecEx{
		DasConfig: &types.ClusterDasConfigInfo{Enabled: &no, HostMonitoring: "disabled"},
		DrsConfig: &types.ClusterDrsConfigInfo{DefaultVmBehavior: types.DrsBehaviorManual, EnableVmBehaviorOverrides: &no},
		DpmConfig: &types.ClusterDpmConfigInfo{Enabled: &no},
	}, true)))
	is := read()
	if *is.DasConfig.Enabled || is.DasConfig.HostMonitoring != "disabled" || !*is.DasConfig.AdmissionControlEnabled ||
		is.DasConfig.AdmissionControlPolicy == nil || !*is.DrsConfig.Enabled || is.DrsConfig.DefaultVmBehavior != types.DrsBehaviorManual ||
		*is.DrsConfig.EnableVmBehaviorOverrides || *is.DpmConfigInfo.Enabled {
		t.Fatalf("%+v", is)
	}
	b.ok(b.await(cluster.Reconfigure(b.ctx, &types.ClusterConfigSpecEx{
		DasConfig: &was.DasConfig, DrsConfig: &was.DrsConfig, DpmConfig: was.DpmConfigInfo}, true)))
	if is = read(); !*is.DasConfig.Enabled || is.DrsConfig.DefaultVmBehavior != types.DrsBehaviorFullyAutomated || !*is.DpmConfigInfo.Enabled {
		t.Fatalf("%+v", is)
	}
}

// vCenter's own VM and its decoys look alike from outside.
func TestVCenterAndDecoys(t *testing.T) {
	b := start(t, func(o *Options) { withVCenterVM(o); o.VCenterDecoys = 2 })
	var alike []string
	for _, v := range find[mo.VirtualMachine](b.vcenter(), "VirtualMachine", "name", "config.vAppConfig", "guest") {
		if v.Config != nil && v.Config.VAppConfig != nil && v.Config.VAppConfig.GetVmConfigInfo().Product[0].Name == productName &&
			v.Guest.Net[0].IpAddress[0] == "127.0.0.2" {
			alike = append(alike, v.Name)
		}
	}
	if len(alike) != 3 {
		t.Fatal(alike)
	}
}

// A thousand VMs on 32 hosts with direct faces are there in seconds: the bench needs that.
func TestManyVMs(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector is ten times slower")
	}
	begin := time.Now()
	b := start(t, func(o *Options) { o.Hosts, o.VMs = 32, 1000 })
	if took := time.Since(begin); took > 15*time.Second {
		t.Fatal(took)
	}
	if n := len(find[mo.VirtualMachine](b.vcenter(), "VirtualMachine", "runtime.powerState")); n != 1000 {
		t.Fatal(n)
	}
}

// An isolated host looks dead and is not: its VMs run on, and nobody may take them over.
func TestIsolatedHost(t *testing.T) {
	b := start(t, nil)
	vc := b.vcenter()
	b.post("/host?name=" + b.hostName(0) + "&isolated=1")
	if s := vc.read(vc.host(0), "runtime.connectionState"); s != types.HostSystemConnectionStateNotResponding {
		t.Fatal(s)
	}
	if _, err := net.Dial("tcp", b.site.plant.hosts[0].Address); err == nil {
		t.Fatal("an isolated host answers")
	}
	target := b.esxi(1)
	folders, err := object.NewDatacenter(raw(target), find[mo.Datacenter](target, "Datacenter", "name")[0].Self).Folders(b.ctx)
	b.ok(err)
	pool := object.NewResourcePool(raw(target), find[mo.ResourcePool](target, "ResourcePool", "name")[0].Self)
	b.refused(b.await(folders.VmFolder.RegisterVM(b.ctx, "[LocalDS_0] DC0_C0_RP0_VM0/DC0_C0_RP0_VM0.vmx", "", false, pool, nil)), "AlreadyExists")
	b.post("/host?name=" + b.hostName(0) + "&isolated=0")
	if power, connection := vc.vmState("DC0_C0_RP0_VM0"); power != "poweredOn" || connection != "connected" {
		t.Fatal(power, connection)
	}
	b.esxi(0)
}
