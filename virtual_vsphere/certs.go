package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/vmware/govmomi/simulator"
)

// stockName is what a host's certificate is made out for that was never in a vCenter's hands.
const stockName = "localhost.localdomain"

// Cert is what one face presents. It can be exchanged while the face is open, as a person does who renews it.
type Cert struct {
	pair atomic.Pointer[tls.Certificate]
}

// newCert is the chain of the options, the same for every face, or a self-signed certificate of this face's own, made
// out for the given name. nil = plain text.
func newCert(o Options, name string) (*Cert, error) {
	if o.Plaintext {
		return nil, nil
	}
	pair, err := loadOrMake(o.CertFile, o.KeyFile, name)
	if err != nil {
		return nil, err
	}
	c := new(Cert)
	c.pair.Store(&pair)
	return c, nil
}

func loadOrMake(certFile, keyFile, name string) (tls.Certificate, error) {
	if certFile != "" {
		return tls.LoadX509KeyPair(certFile, keyFile)
	}
	return selfSigned(name)
}

// config is for a server whose certificate may be exchanged; nil without a certificate.
func (c *Cert) config() *tls.Config {
	if c == nil {
		return nil
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		return c.pair.Load(), nil
	}}
}

func (c *Cert) leaf() []byte { return c.pair.Load().Certificate[0] }

// leafPEM is the certificate as a host's configuration holds it; empty without one.
func (c *Cert) leafPEM() string {
	if c == nil {
		return ""
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.leaf()}))
}

// fingerprint is the leaf's SHA-256 in lower-case hex.
func (c *Cert) fingerprint() string {
	sum := sha256.Sum256(c.leaf())
	return hex.EncodeToString(sum[:])
}

// selfSigned is as a product makes it for itself when it is installed.
func selfSigned(name string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 100))
	if err != nil {
		return tls.Certificate{}, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name, Organization: []string{"virtual_vsphere"}},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(30 * 24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if ip := net.ParseIP(name); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{name}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

// dressCertificate writes a host's certificate into its object of a model, where the API has it: whole, and as the
// SHA-1 that older clients compare.
func dressCertificate(text string, o *simulator.HostSystem) {
	block, _ := pem.Decode([]byte(text))
	if block == nil || string(o.Config.Certificate) == text {
		return
	}
	sum := sha1.Sum(block.Bytes)
	pairs := make([]string, len(sum))
	for i, b := range sum {
		pairs[i] = fmt.Sprintf("%02X", b)
	}
	o.Config.Certificate, o.Summary.Config.SslThumbprint = []byte(text), strings.Join(pairs, ":")
}

// certificates are the fingerprints of what each face presents now.
func (s *Site) certificates() map[string]string {
	found := map[string]string{}
	for _, f := range s.faces {
		if f.cert != nil {
			found[f.name] = f.cert.fingerprint()
		}
	}
	return found
}

// changeCertificate exchanges a face's certificate and drops its connections, as the service starts again with the
// new one. With unknown=1 vCenter goes on showing the host's old one.
func (s *Site) changeCertificate(q url.Values) error {
	var face *Face
	for _, f := range s.faces {
		if f.name == q.Get("face") {
			face = f
		}
	}
	if face == nil || face.cert == nil {
		return fmt.Errorf("no face %q with a certificate", q.Get("face"))
	}
	if q.Has("cert") != q.Has("key") {
		return errors.New("cert= and key= come together")
	}
	unknown, err := flagOf(q, "unknown", new(bool))
	if err != nil {
		return err
	}
	pair, err := loadOrMake(q.Get("cert"), q.Get("key"), s.certName(face.host))
	if err != nil {
		return err
	}
	face.cert.pair.Store(&pair)
	face.door.cut()
	p := s.plant
	p.mu.Lock()
	defer p.mu.Unlock()
	p.note("certificate.exchanged", face.name, "")
	if h := face.host; h != nil {
		h.Cert = face.cert.leafPEM()
		if !*unknown {
			h.KnownCert = h.Cert
		}
		p.touchHost(h)
	}
	return nil
}

// certName is the name in a self-signed certificate: a host's says nothing, vCenter's says where it is reached.
func (s *Site) certName(h *Host) string {
	switch {
	case h != nil:
		return stockName
	case s.options.VCenterName != "":
		return s.options.VCenterName
	}
	return hostPart(s.options.Listen)
}
