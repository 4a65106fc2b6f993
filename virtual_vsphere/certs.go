package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"time"
)

// serverTLS is what every face presents: the given chain, or one made on the spot. nil = plain text.
func serverTLS(o Options) (*tls.Config, error) {
	if o.Plaintext {
		return nil, nil
	}
	var pair tls.Certificate
	var err error
	if o.CertFile != "" {
		pair, err = tls.LoadX509KeyPair(o.CertFile, o.KeyFile)
	} else {
		pair, err = selfSigned(o)
	}
	if err != nil {
		return nil, err
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}, nil
}

// selfSigned is good for trials by hand; a test that means TLS brings its own chain.
func selfSigned(o Options) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "virtual_vsphere"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(30 * 24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, DNSNames: []string{"localhost"},
	}
	template.IPAddresses = append(template.IPAddresses, net.ParseIP(hostPart(o.Listen)), net.IPv4(127, 0, 0, 1))
	for i := 1; i <= o.Hosts && o.ESXiPrefix != ""; i++ {
		template.IPAddresses = append(template.IPAddresses, net.ParseIP(fmt.Sprintf("%s%d", o.ESXiPrefix, i)))
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}
