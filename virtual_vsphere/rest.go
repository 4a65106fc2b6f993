package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// vapiHeader carries the session of the REST side (tags).
const vapiHeader = "vmware-api-session-id"

// The two generations of vCenter's REST paths. The simulator knows tags under the old ones only; a client of
// vSphere 7 or later uses the new ones, so they are translated.
const (
	oldSession = "/rest/com/vmware/cis/session"
	newSession = "/api/session"
	oldTagging = "/rest/com/vmware/cis/tagging/"
	newTagging = "/api/cis/tagging/"
)

// serveREST lets a request through to the tag service. The service keeps its sessions for ever, so the ones of an
// earlier life of vCenter are refused here.
func (f *Face) serveREST(w http.ResponseWriter, r *http.Request) {
	if ms := f.site.plant.callDelay(); ms > 0 {
		time.Sleep(time.Duration(ms) * time.Millisecond)
	}
	f.site.counts.add(f.name, "REST "+r.Method+" "+r.URL.Path)
	opensSession := r.Method == http.MethodPost && r.URL.RawQuery == "" && (r.URL.Path == oldSession || r.URL.Path == newSession)
	if !opensSession && !f.knowsKey(r) {
		answerJSON(w, http.StatusUnauthorized, map[string]any{"error_type": "UNAUTHENTICATED", "messages": []string{}})
		return
	}
	modern := r.URL.Path == newSession || strings.HasPrefix(r.URL.Path, newTagging)
	if modern {
		if err := toOldRequest(r); err != nil {
			answerJSON(w, http.StatusBadRequest, map[string]any{"error_type": "INVALID_ARGUMENT", "messages": []string{err.Error()}})
			return
		}
	}
	kept := &keptAnswer{header: http.Header{}, status: http.StatusOK}
	f.mux.ServeHTTP(kept, r)
	if opensSession {
		f.learnKey(kept)
	}
	if modern {
		kept.toNew(r)
	}
	kept.send(w)
}

func answerJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value)
}

func (f *Face) knowsKey(r *http.Request) bool {
	key := r.Header.Get(vapiHeader)
	if cookie, err := r.Cookie(vapiHeader); key == "" && err == nil {
		key = cookie.Value
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.vapiKeys[key]
}

// learnKey remembers the session that an answer opened.
func (f *Face) learnKey(answer *keptAnswer) {
	var opened struct{ Value string }
	if answer.status < http.StatusBadRequest && json.Unmarshal(answer.body.Bytes(), &opened) == nil && opened.Value != "" {
		f.mu.Lock()
		f.vapiKeys[opened.Value] = true
		f.mu.Unlock()
	}
}

// toOldRequest turns a request in the new style into the old one: identifiers are marked in the path, actions have a
// tilde, and what is created or changed is wrapped.
func toOldRequest(r *http.Request) error {
	if r.URL.Path == newSession {
		r.URL.Path = oldSession
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxCallBytes))
	if err != nil {
		return err
	}
	kind, id, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, newTagging), "/")
	action := r.URL.Query().Get("action")
	switch {
	case action == "list-tags-for-category":
		var asked struct {
			Category string `json:"category_id"`
		}
		if err := json.Unmarshal(body, &asked); err != nil {
			return err
		}
		id = asked.Category
	case r.Method == http.MethodPost && action == "":
		body = wrap("create_spec", body)
	case r.Method == http.MethodPatch:
		body = wrap("update_spec", body)
	case len(body) == 0:
		body = []byte("{}") // the simulator decodes even where there is nothing to say
	}
	r.URL.Path, r.URL.RawPath, r.URL.RawQuery = oldTagging+kind, "", ""
	if id != "" {
		r.URL.Path += "/id:" + id
	}
	if action != "" {
		r.URL.RawQuery = url.Values{"~action": {action}}.Encode()
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return nil
}

func wrap(name string, body []byte) []byte {
	out, err := json.Marshal(map[string]json.RawMessage{name: body})
	if err != nil {
		return body
	}
	return out
}

// keptAnswer holds an answer until it may go out.
type keptAnswer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (k *keptAnswer) Header() http.Header         { return k.header }
func (k *keptAnswer) WriteHeader(status int)      { k.status = status }
func (k *keptAnswer) Write(b []byte) (int, error) { return k.body.Write(b) }

// toNew unwraps the answer, and gives it the status that the new style has for it.
func (k *keptAnswer) toNew(r *http.Request) {
	if k.status >= http.StatusBadRequest {
		kind := map[int]string{http.StatusNotFound: "NOT_FOUND", http.StatusUnauthorized: "UNAUTHENTICATED"}[k.status]
		if kind == "" {
			kind = "ERROR"
			if strings.Contains(k.body.String(), "already_exists") {
				kind = "ALREADY_EXISTS"
			}
		}
		k.body.Reset()
		_ = json.NewEncoder(&k.body).Encode(map[string]any{"error_type": kind, "messages": []string{}})
		k.header.Set("Content-Type", "application/json")
		return
	}
	var old struct{ Value json.RawMessage }
	if k.body.Len() == 0 || json.Unmarshal(k.body.Bytes(), &old) != nil {
		k.body.Reset()
		k.status = http.StatusNoContent
		return
	}
	k.body.Reset()
	k.body.Write(withLists(old.Value))
	if r.Method == http.MethodPost && r.URL.RawQuery == "" {
		k.status = http.StatusCreated
	}
}

// withLists writes an empty list where the simulator has nothing: the real service never leaves one out.
func withLists(value json.RawMessage) []byte {
	if len(value) == 0 || string(value) == "null" {
		return []byte("[]")
	}
	var rows []map[string]json.RawMessage
	if json.Unmarshal(value, &rows) != nil {
		return value
	}
	for _, row := range rows {
		for with, list := range map[string]string{"tag_id": "object_ids", "object_id": "tag_ids"} {
			if _, ok := row[with]; ok && (len(row[list]) == 0 || string(row[list]) == "null") {
				row[list] = json.RawMessage("[]")
			}
		}
	}
	out, err := json.Marshal(rows)
	if err != nil {
		return value
	}
	return out
}

func (k *keptAnswer) send(w http.ResponseWriter) {
	for name, values := range k.header {
		w.Header()[name] = values
	}
	w.WriteHeader(k.status)
	_, _ = w.Write(k.body.Bytes())
}
