package main

import (
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"
)

// Door is the address of a face. Shut, nothing listens there and every connection is gone, as with a machine without
// power; open, it is at the same address as before.
type Door struct {
	handler http.Handler
	tls     *tls.Config // nil = plain

	mu      sync.Mutex
	address string
	bound   net.Listener // bound, not yet served
	wanted  bool
	server  *http.Server
}

// newDoor binds the address but does not serve it yet: a port 0 becomes a real one, a port in use is an error at the
// start, and no call arrives before every face is there.
func newDoor(address string, config *tls.Config, handler http.Handler) (*Door, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	return &Door{address: listener.Addr().String(), bound: listener, tls: config, handler: handler}, nil
}

func (d *Door) serve(listener net.Listener) {
	d.server = &http.Server{
		Handler:  d.handler,
		ErrorLog: log.New(io.Discard, "", 0), // clients that refuse our certificate are part of the tests
		// No HTTP/2: there a cut connection would be a reset stream, which no vSphere client ever sees.
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
	}
	if d.tls != nil {
		listener = tls.NewListener(listener, d.tls)
	}
	go func(s *http.Server) { _ = s.Serve(listener) }(d.server)
}

// open listens again. It returns at once; a port that is taken is tried until the door is shut again.
func (d *Door) open() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.wanted {
		return
	}
	d.wanted = true
	if d.tryOpen() {
		return
	}
	go func() {
		for {
			time.Sleep(10 * time.Millisecond)
			d.mu.Lock()
			done := !d.wanted || d.server != nil || d.tryOpen()
			d.mu.Unlock()
			if done {
				return
			}
		}
	}()
}

func (d *Door) tryOpen() bool {
	listener := d.bound
	d.bound = nil
	if listener == nil {
		var err error
		if listener, err = net.Listen("tcp", d.address); err != nil {
			return false
		}
	}
	d.serve(listener)
	return true
}

// cut drops every connection and listens again at once.
func (d *Door) cut() {
	d.mu.Lock()
	wanted := d.wanted
	d.mu.Unlock()
	if wanted {
		d.shut()
		d.open()
	}
}

// shut drops every connection. Calls that are under way go on, but nobody hears the answer.
func (d *Door) shut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wanted = false
	if d.bound != nil {
		_ = d.bound.Close()
		d.bound = nil
	}
	if d.server != nil {
		_ = d.server.Close()
		d.server = nil
	}
}
