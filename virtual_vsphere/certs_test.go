package main

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/pem"
	"io"
	"net"
	"net/url"
	"testing"

	"github.com/vmware/govmomi/vim25/mo"
)

// presented is the SHA-256 of what a door shows; the address is one that can be dialled.
func (b *bench) presented(f *Face) string {
	b.Helper()
	c, err := tls.Dial("tcp", f.door.address, &tls.Config{InsecureSkipVerify: true})
	b.ok(err)
	defer c.Close()
	sum := sha256.Sum256(c.ConnectionState().PeerCertificates[0].Raw)
	return hex.EncodeToString(sum[:])
}

// known is the SHA-256 of each host's certificate as this session reads it, by host.
func (c *client) known() map[string]string {
	c.b.Helper()
	found := map[string]string{}
	for _, h := range find[mo.HostSystem](c, "HostSystem", "name", "config.certificate", "summary.config.sslThumbprint") {
		block, _ := pem.Decode(h.Config.Certificate)
		if block == nil || h.Summary.Config.SslThumbprint == "" {
			c.b.Fatal("no certificate of ", h.Name)
		}
		sum := sha256.Sum256(block.Bytes)
		found[h.Name] = hex.EncodeToString(sum[:])
	}
	return found
}

// Without a chain each face has a certificate of its own, and vCenter knows those of its hosts.
func TestEachFaceHasItsOwnCertificate(t *testing.T) {
	b := start(t, nil)
	seen := map[string]bool{}
	var told map[string]string
	b.get("/certificates", &told)
	known := b.vcenter().known()
	for _, f := range b.site.faces {
		sum := b.presented(f)
		if seen[sum] || told[f.name] != sum || f.host != nil && known[f.name] != sum {
			t.Fatal(f.name, sum, told, known)
		}
		seen[sum] = true
	}
	if own := b.esxi(1).known()[b.hostName(1)]; own != known[b.hostName(1)] {
		t.Fatal(own, known)
	}
}

// An exchanged certificate is presented at once, old connections are gone, and vCenter learns it unless told not to.
func TestCertificatesAreExchanged(t *testing.T) {
	b := start(t, nil)
	vc, face := b.vcenter(), b.site.plant.hosts[0].face
	first := b.presented(face)
	old, err := tls.Dial("tcp", face.door.address, &tls.Config{InsecureSkipVerify: true})
	b.ok(err)
	defer old.Close()
	b.post("/certificate?unknown=1&face=" + face.name)
	second := b.presented(face)
	if second == first || vc.known()[face.name] != first {
		t.Fatal("not exchanged, or vCenter knows it")
	}
	if _, err := old.Read(make([]byte, 1)); err == nil {
		t.Fatal("the old connection lives")
	}
	b.post("/certificate?face=" + face.name)
	if third := b.presented(face); third == second || vc.known()[face.name] != third {
		t.Fatal("vCenter does not know the third")
	}
	before := b.presented(b.site.vcenter)
	b.post("/certificate?face=vcenter")
	if b.presented(b.site.vcenter) == before {
		t.Fatal("vCenter's is the old one")
	}
}

// Names stand where addresses stood, and the first line tells a resolver what they mean.
func TestNames(t *testing.T) {
	b := start(t, func(o *Options) {
		withVCenterVM(o)
		o.VCenterName, o.HostNames = "vc.lab.test", "esx%d.lab.test"
	})
	ready := b.site.ready()
	host, port, _ := net.SplitHostPort(ready.VCenter)
	if host != "vc.lab.test" || ready.Hosts[1].Name != "esx2.lab.test" {
		t.Fatal(ready)
	}
	if _, err := b.dial(net.JoinHostPort(ready.Names[host], port), b.site.options.User, b.site.options.Password); err != nil {
		t.Fatal(err)
	}
	host, port, _ = net.SplitHostPort(ready.Hosts[1].Address)
	if host != "esx2.lab.test" {
		t.Fatal(ready.Hosts)
	}
	if _, err := b.dial(net.JoinHostPort(ready.Names[host], port), b.site.options.ESXiUser, b.site.options.ESXiPassword); err != nil {
		t.Fatal(err)
	}
	if vm := b.site.plant.vm("vcsa"); vm.HostName != "vc.lab.test" || vm.IP != ready.Names["vc.lab.test"] {
		t.Fatal(vm)
	}
	b.post("/host?on=0&name=" + url.QueryEscape("esx2.lab.test"))
	b.until("off", b.hostIs(1, func(h *Host) bool { return !h.On }))
	for _, pattern := range []string{"esx", "esx%s", "%d%d", "100%"} {
		if _, err := parseOptions([]string{"-host-names", pattern}, io.Discard); err == nil {
			t.Fatal("taken: ", pattern)
		}
	}
}
