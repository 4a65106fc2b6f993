package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

const plantJSON = `{"cluster": "Plant", "hosts": [
 {"name": "alpha", "uuid": "11111111-2222-3333-4444-555555555555", "serial": "SN-A", "boot_ms": 20, "off_ms": 20},
 {"name": "beta", "on": false, "maintenance": true},
 {"name": "far", "cluster": "Others"}],
 "vms": [
 {"name": "vc", "host": "alpha", "vcenter": true},
 {"name": "db", "host": "alpha", "tier": 2, "instance_uuid": "aaaaaaaa-2222-3333-4444-555555555555", "guest_ms": 5,
  "addresses": ["10.9.8.7", "10.9.8.8"], "guest_id": "otherGuest64",
  "question": {"id": "q7", "text": "Really?", "default": "y", "choices": [{"key": "y", "label": "Yes"}]}},
 {"name": "cold", "host": "beta", "power": "off"},
 {"name": "foreign", "host": "far"}],
 "settings": {"ha": false, "drs": true, "drs_behavior": "manual", "dpm": false}, "vsan": true}`

func inventoryOptions(t *testing.T, text string) (Options, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "inventory.json")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return parseOptions([]string{"-inventory", file, "-esxi-port", "0"}, os.Stderr)
}

// An inventory's plant is the one that its file describes, on both faces.
func TestInventory(t *testing.T) {
	told, err := inventoryOptions(t, plantJSON)
	if err != nil {
		t.Fatal(err)
	}
	b := start(t, func(o *Options) { timing := o.Timing; *o = told; o.Timing = timing })
	ready := b.site.ready()
	if len(ready.Hosts) != 2 || ready.Hosts[0].Label != "alpha" || ready.Hosts[0].Name != "127.0.1.1" ||
		ready.Hosts[0].Serial != "SN-A" || ready.Cluster != "Plant" || strings.Join(ready.Others, " ") != "foreign" {
		t.Fatalf("%+v", ready)
	}
	vc := b.vcenter()
	if s := vc.read(vc.host(1), "runtime.connectionState"); s != types.HostSystemConnectionStateNotResponding {
		t.Fatal(s)
	}
	clusters := find[mo.ClusterComputeResource](vc, "ClusterComputeResource", "name", "configurationEx")
	for _, c := range clusters {
		if config := c.ConfigurationEx.(*types.ClusterConfigInfoEx); c.Name == "Plant" && (*config.DasConfig.Enabled ||
			config.DrsConfig.DefaultVmBehavior != types.DrsBehaviorManual || !*config.VsanConfigInfo.Enabled) {
			t.Fatalf("%+v", config)
		}
	}
	db := vc.vm("db")
	if vc.read(db, "config.guestId") != "otherGuest64" || vc.read(db, "config.instanceUuid") != "aaaaaaaa-2222-3333-4444-555555555555" {
		t.Fatal("not as told")
	}
	b.ok(db.ShutdownGuest(b.ctx))
	b.site.plant.flush()
	question := vc.read(db, "runtime.question").(types.VirtualMachineQuestionInfo)
	b.refused(db.Answer(b.ctx, question.Id, "n"), "InvalidArgument")
	b.ok(db.Answer(b.ctx, "q7", "y"))
	b.until("off after the answer", b.isOff("db"))
	b.post("/host?name=beta&boot-ms=5")
	b.post("/host?name=beta&on=1")
	b.until("beta answers", b.hostIs(1, (*Host).answers))
	b.post("/vm?name=vc&power=off")
	b.until("vCenter down", func() bool { return !b.site.vcenterAnswers() })
}

// A file that contradicts itself is refused, and the error names the place.
func TestInventoryIsStrict(t *testing.T) {
	for was, c := range map[string][2]string{
		`"vsan": true`:         {`"vsam": true`, "vsam"},
		`"host": "far"`:        {`"host": "near"`, "vms[3] foreign"},
		`"power": "off"`:       {`"power": "on"`, "vms[2] cold"},
		`"name": "beta"`:       {`"name": "alpha"`, "hosts[1] alpha"},
		`"default": "y"`:       {`"default": "n"`, "vms[1] db: question.default"},
		`"boot_ms": 20`:        {`"boot_ms": -1`, "hosts[0] alpha"},
		`"cluster": "Plant"`:   {`"cluster": ""`, "cluster"},
		`"drs_behavior": "man`: {`"drs_behavior": "woman`, "drs_behavior"},
		`"serial": "SN-A"`:     {`"standby": true, "on": true`, "hosts[0] alpha"},
		`"vms": [`:             {`"vms": [{"name": "x", "host": "far", "vcenter": true},`, "vcenter is x"},
	} {
		if _, err := inventoryOptions(t, strings.Replace(plantJSON, was, c[0], 1)); err == nil || !strings.Contains(err.Error(), c[1]) {
			t.Errorf("%s: %v", c[0], err)
		}
	}
}
