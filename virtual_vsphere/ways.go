package main

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// changeWays sets how a host stands to vCenter and to its users; it answers whether the request was about that.
func (p *Plant) changeWays(h *Host, q url.Values) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	asked := false
	if q.Has("lockdown") {
		modes := map[string]string{"0": "", "normal": "lockdownNormal", "strict": "lockdownStrict"}
		mode, known := modes[q.Get("lockdown")]
		if !known {
			return true, fmt.Errorf("lockdown=0|normal|strict")
		}
		h.Lockdown, h.Exceptions, asked = mode, q.Get("exceptions"), true
		p.note("host.lockdown", h.Name, h.Name)
	}
	if q.Has("connection") {
		if c := q.Get("connection"); c != "connected" && c != "disconnected" {
			return true, fmt.Errorf("connection=connected|disconnected")
		}
		h.Disconnected, asked = q.Get("connection") == "disconnected", true
		p.note("host."+q.Get("connection"), h.Name, h.Name)
		p.showAnew(h)
	}
	hangs, err := flagOf(q, "shutdown-hang", &h.ShutdownHangs)
	if err != nil {
		return true, err
	}
	h.ShutdownHangs = *hangs
	if q.Get("standby") == "1" {
		p.cutPower(h)
		h.Standby, asked = true, true
		p.note("host.standby", h.Name, h.Name)
	}
	p.touchHost(h)
	return (asked || q.Has("shutdown-hang")) && !q.Has("on"), nil
}

// changeDurations sets durations of a host's own; it answers whether the request was about any.
func (p *Plant) changeDurations(q url.Values, targets map[string]**int) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	asked := false
	for key, target := range targets {
		ms, err := duration(q, key, *target)
		if err != nil {
			return false, err
		}
		*target, asked = ms, asked || q.Has(key)
	}
	return asked, nil
}

func duration(q url.Values, key string, otherwise *int) (*int, error) {
	if !q.Has(key) {
		return otherwise, nil
	}
	ms, err := number(q, key, 0)
	if err == nil && ms < 0 {
		err = fmt.Errorf("%s=%d is below 0", key, ms)
	}
	return &ms, err
}

// locksOut tells whether lockdown mode keeps a user from logging in to this face.
func (f *Face) locksOut(user string) bool {
	if f.host == nil {
		return false
	}
	p := f.site.plant
	p.mu.Lock()
	defer p.mu.Unlock()
	return f.host.Lockdown != "" && !slices.Contains(strings.Split(f.host.Exceptions, ","), user)
}

// endSessions lets every session of a face expire; without face= of all.
func (s *Site) endSessions(q url.Values) error {
	for _, f := range s.faces {
		if q.Get("face") == "" || q.Get("face") == f.name {
			f.forgetSessions()
		}
	}
	return nil
}

var objectAction = regexp.MustCompile(`objectAction[^>]*>([A-Za-z]+)<`)

// vsanAction is what a call for maintenance mode wants done with vSAN's data; empty where it does not say.
func vsanAction(body []byte) string {
	if found := objectAction.FindSubmatch(body); found != nil {
		return string(found[1])
	}
	return ""
}
