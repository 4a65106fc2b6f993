package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// vapiHeader carries the session of the REST side (tags).
const vapiHeader = "vmware-api-session-id"

// serveREST lets a request through to the tag service. The service keeps its sessions for ever, so the ones of an
// earlier life of vCenter are refused here.
func (f *Face) serveREST(w http.ResponseWriter, r *http.Request) {
	if ms := f.site.plant.callDelay(); ms > 0 {
		time.Sleep(time.Duration(ms) * time.Millisecond)
	}
	f.site.counts.add(f.name, "REST "+r.Method)
	opensSession := r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "session") && r.URL.RawQuery == ""
	if opensSession {
		answer := &kept{ResponseWriter: w, status: http.StatusOK}
		f.mux.ServeHTTP(answer, r)
		f.learnKey(answer)
		return
	}
	key := r.Header.Get(vapiHeader)
	if cookie, err := r.Cookie(vapiHeader); key == "" && err == nil {
		key = cookie.Value
	}
	f.mu.Lock()
	known := f.vapiKeys[key]
	f.mu.Unlock()
	if !known {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = w.Write([]byte(`{"error_type":"UNAUTHENTICATED","messages":[]}`))
		return
	}
	f.mux.ServeHTTP(w, r)
}

// learnKey remembers the session that an answer opened: the key is its body, bare or as {"value": key}.
func (f *Face) learnKey(answer *kept) {
	if answer.status >= http.StatusBadRequest {
		return
	}
	var key string
	var old struct{ Value string }
	if json.Unmarshal(answer.body.Bytes(), &key) != nil && json.Unmarshal(answer.body.Bytes(), &old) == nil {
		key = old.Value
	}
	if key != "" {
		f.mu.Lock()
		f.vapiKeys[key] = true
		f.mu.Unlock()
	}
}

// kept passes an answer on and keeps a copy.
type kept struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (k *kept) WriteHeader(status int) { k.status = status; k.ResponseWriter.WriteHeader(status) }
func (k *kept) Write(b []byte) (int, error) {
	k.body.Write(b)
	return k.ResponseWriter.Write(b)
}
