package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"time"
)

// Entry is one line of the plant's journal: a state-changing call that arrived, or something that the plant did.
type Entry struct {
	N      int     `json:"n"`
	T      float64 `json:"t"` // seconds since the start
	What   string  `json:"what"`
	Method string  `json:"method,omitempty"`
	Object string  `json:"object"`
	Face   string  `json:"face,omitempty"`
	User   string  `json:"user,omitempty"`
	Host   string  `json:"host,omitempty"`
	Detail string  `json:"detail,omitempty"`

	Settings *ClusterSettings `json:"settings,omitempty"` // of a cluster, as they are from here on
}

// Journal keeps the order of events. Order is what the tests of a shutdown are about, so there is one journal for
// every face, and an entry's number never repeats, not even after Clear.
type Journal struct {
	mu      sync.Mutex
	start   time.Time
	last    int
	entries []Entry
	grown   chan struct{}
	hook    chan Entry
}

func newJournal() *Journal {
	return &Journal{start: time.Now(), grown: make(chan struct{})}
}

// add numbers and stamps the entry. It never blocks: the plant's lock may be held.
func (j *Journal) add(e Entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.last++
	e.N = j.last
	e.T = float64(time.Since(j.start).Microseconds()) / 1e6
	j.entries = append(j.entries, e)
	close(j.grown)
	j.grown = make(chan struct{})
	if j.hook != nil && e.What != "call" {
		select {
		case j.hook <- e:
		default: // a listener that is this far behind has lost interest
		}
	}
}

// since answers the entries numbered above n. If there are none it waits for one, until ctx ends.
func (j *Journal) since(ctx context.Context, n int) []Entry {
	for {
		j.mu.Lock()
		out := []Entry{}
		for i := len(j.entries) - 1; i >= 0 && j.entries[i].N > n; i-- {
			out = append(out, j.entries[i])
		}
		grown := j.grown
		j.mu.Unlock()
		for a, b := 0, len(out)-1; a < b; a, b = a+1, b-1 {
			out[a], out[b] = out[b], out[a]
		}
		if len(out) > 0 {
			return out
		}
		select {
		case <-ctx.Done():
			return out
		case <-grown:
		}
	}
}

// position is the number of the last entry. Who holds the plant's lock knows that the plant adds none meanwhile.
func (j *Journal) position() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.last
}

func (j *Journal) clear() {
	j.mu.Lock()
	j.entries = nil
	j.mu.Unlock()
}

// postTo sends each event of the plant to url, one after the other, so that a listener sees them in order.
// A listener that does not answer loses the event, not the plant its pace.
func (j *Journal) postTo(ctx context.Context, url string) {
	queue := make(chan Entry, 10000)
	j.mu.Lock()
	j.hook = queue
	j.mu.Unlock()
	client := &http.Client{Timeout: time.Second}
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case e := <-queue:
				body := map[string]any{"event": e.What, "object": e.Object, "n": e.N, "t": e.T}
				if e.Host != "" {
					body["host"] = e.Host
				}
				data, _ := json.Marshal(body)
				res, err := client.Post(url, "application/json", bytes.NewReader(data))
				if err == nil {
					_, _ = io.Copy(io.Discard, res.Body)
					_ = res.Body.Close()
				}
			}
		}
	}()
}
