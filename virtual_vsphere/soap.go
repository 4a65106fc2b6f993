package main

import (
	"bytes"
	"encoding/xml"
	"net/http"
	"strings"

	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// soapCall is what has to be known of a call before the simulator decodes it.
type soapCall struct {
	method string
	this   types.ManagedObjectReference
	user   string // of a Login
}

// peekCall reads the beginning of a SOAP request. What it cannot read it leaves empty: refusing is the simulator's.
func peekCall(body []byte) soapCall {
	var call soapCall
	decoder := xml.NewDecoder(bytes.NewReader(body))
	inBody := false
	for {
		token, err := decoder.Token()
		if err != nil {
			return call
		}
		start, ok := token.(xml.StartElement)
		switch {
		case !ok:
		case !inBody:
			inBody = start.Name.Local == "Body"
		case call.method == "":
			call.method = start.Name.Local
		case start.Name.Local == "_this":
			for _, a := range start.Attr {
				if a.Name.Local == "type" {
					call.this.Type = a.Value
				}
			}
			call.this.Value = textOf(decoder)
			if call.method != "Login" {
				return call
			}
		case start.Name.Local == "userName":
			call.user = textOf(decoder)
			return call
		default:
			return call
		}
	}
}

func textOf(decoder *xml.Decoder) string {
	token, err := decoder.Token()
	if text, ok := token.(xml.CharData); ok && err == nil {
		return strings.TrimSpace(string(text))
	}
	return ""
}

// readingPrefixes are how the names of calls begin that change nothing in the plant. Sessions, filters and views are
// changes of the client's own, not of the plant's: they are counted, but not in the journal.
var readingPrefixes = []string{
	"Retrieve", "WaitFor", "CheckFor", "CancelWaitForUpdates", "ContinueRetrieve", "CancelRetrieve", "Fetch", "Query",
	"Has", "Find", "CurrentTime", "Login", "Logout", "CreateFilter", "DestroyPropertyFilter", "CreatePropertyCollector",
	"DestroyPropertyCollector", "CreateContainerView", "CreateListView", "DestroyView", "SessionIsActive", "Check",
	"Read", "Get", "List", "Browse", "Estimate", "Validate", "LookupDvPortGroup", "CreateCollectorFor", "DestroyCollector",
}

// changesSomething tells whether a call belongs in the journal.
func changesSomething(method string) bool {
	for _, prefix := range readingPrefixes {
		if strings.HasPrefix(method, prefix) {
			return false
		}
	}
	return method != ""
}

// userOf names the user of a request by its session cookie.
func (f *Face) userOf(r *http.Request) string {
	cookie, err := r.Cookie(soap.SessionCookieName)
	if err != nil {
		return ""
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.users[cookie.Value]
}

// learnUser remembers whose session a login opened.
func (f *Face) learnUser(call soapCall, answer http.Header) {
	if call.method != "Login" {
		return
	}
	for _, cookie := range (&http.Response{Header: answer}).Cookies() {
		if cookie.Name == soap.SessionCookieName {
			f.mu.Lock()
			f.users[cookie.Value] = call.user
			f.mu.Unlock()
		}
	}
}
