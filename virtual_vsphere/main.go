// Command virtual_vsphere is VMware's own simulator (govmomi's) made to behave like a plant: guests take time to
// stop, hosts go off and come back, vCenter dies with its VM. See README.md.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"os/signal"
	"syscall"
)

// Ready is the first line on stdout. Names is what a resolver of the test has to know.
type Ready struct {
	VCenter string            `json:"vcenter"`
	Control string            `json:"control"`
	Hosts   []ReadyHost       `json:"hosts"`
	Cluster string            `json:"cluster"`
	VMs     []string          `json:"vms"`
	Others  []string          `json:"other_vms"`
	Names   map[string]string `json:"names"`
}

// ReadyHost is a host of the cluster; its address is empty where there are no direct faces.
type ReadyHost struct {
	Name    string `json:"name"`
	Address string `json:"address"`
	UUID    string `json:"uuid"`
	Serial  string `json:"serial"`
	Label   string `json:"label,omitempty"` // the inventory's name of it
}

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "virtual_vsphere:", err)
		os.Exit(1)
	}
}

func run(args []string, stdin io.Reader, stdout io.Writer) error {
	options, err := parseOptions(args, os.Stderr)
	if err != nil {
		return err
	}
	if !options.Verbose {
		log.SetOutput(io.Discard) // the simulator tells of every call that it does not know
	}
	end := make(chan os.Signal, 1)
	signal.Notify(end, os.Interrupt, syscall.SIGTERM)
	serve := serveSite
	if options.Plain {
		serve = servePlain
	}
	ready, stop, err := serve(options)
	if err != nil {
		return err
	}
	defer stop()
	if err := json.NewEncoder(stdout).Encode(ready); err != nil {
		return err
	}
	orphaned := make(chan struct{})
	if options.DieWithStdin {
		go func() {
			_, _ = io.Copy(io.Discard, stdin)
			close(orphaned)
		}()
	}
	select {
	case <-end:
	case <-orphaned:
	}
	return nil
}

func serveSite(o Options) (Ready, func(), error) {
	site, err := newSite(o)
	if err != nil {
		return Ready{}, nil, err
	}
	return site.ready(), site.Close, nil
}

func (s *Site) ready() Ready {
	r := Ready{VCenter: s.vcenter.door.address, Names: map[string]string{}, Control: s.control.address, Cluster: s.options.Cluster,
		Hosts: []ReadyHost{}, VMs: []string{}, Others: []string{}}
	if name := s.options.VCenterName; name != "" {
		address, port, _ := net.SplitHostPort(r.VCenter)
		r.VCenter, r.Names[name] = net.JoinHostPort(name, port), address
	}
	if s.options.Standalone {
		r.VCenter = ""
	}
	for _, h := range s.plant.hosts {
		if h.Cluster != s.options.Cluster {
			continue
		}
		host := ReadyHost{Name: h.Name, Label: h.Label, UUID: h.UUID, Serial: h.Serial}
		if h.face != nil {
			host.Address = h.Address
			if h.IP != h.Name {
				r.Names[h.Name] = h.IP
			}
		}
		r.Hosts = append(r.Hosts, host)
	}
	for _, v := range s.plant.vms {
		if v.Host.Cluster == s.options.Cluster {
			r.VMs = append(r.VMs, v.Name)
		} else {
			r.Others = append(r.Others, v.Name)
		}
	}
	return r
}
