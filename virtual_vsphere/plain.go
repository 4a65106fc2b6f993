package main

import (
	"crypto/tls"
	"net/url"

	"github.com/vmware/govmomi/simulator"
	_ "github.com/vmware/govmomi/vapi/simulator" // its tags
)

// servePlain serves VMware's simulator as it is, as its own program vcsim does: what a client meets alike here and on
// the overlay was not put there by the overlay. There is no control face and no direct face of a host.
func servePlain(o Options) (Ready, func(), error) {
	model := simulator.VPX()
	model.Host, model.ClusterHost, model.Machine = 0, o.Hosts, o.VMs
	if err := model.Create(); err != nil {
		return Ready{}, nil, err
	}
	model.Service.TLS = new(tls.Config)
	model.Service.Listen = &url.URL{Host: o.Listen, User: url.UserPassword(o.User, o.Password)}
	server := model.Service.NewServer()
	ready := Ready{VCenter: server.URL.Host, Cluster: clusterName, Hosts: []ReadyHost{}, Names: map[string]string{}}
	return ready, func() { server.Close(); model.Remove() }, nil
}
