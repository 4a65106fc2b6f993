package main

import (
	"fmt"
	"reflect"
	"strings"
	"sync"

	"github.com/vmware/govmomi/vim25/types"
)

// The kinds of trouble that a call can meet.
const (
	kindFault   = "fault"   // refused at once
	kindTask    = "task"    // accepted, but its task ends with the fault and nothing was done
	kindTimeout = "timeout" // nothing is done and nothing answers until the client gives up
	kindDrop    = "drop"    // done, but the connection is cut before the answer
)

// FaultRule makes calls fail. Empty fields match everything.
type FaultRule struct {
	Method string `json:"method"`
	Name   string `json:"name"`
	Face   string `json:"face"`
	Kind   string `json:"kind"`
	Fault  string `json:"fault"`
	Count  int    `json:"count"` // how many more times; 0 = for ever
}

// Faults are the rules, first come first served.
type Faults struct {
	mu    sync.Mutex
	rules []*FaultRule
}

func (f *Faults) add(rule FaultRule) error {
	switch rule.Kind {
	case "":
		rule.Kind = kindFault
	case kindFault, kindTask, kindTimeout, kindDrop:
	default:
		return fmt.Errorf("kind %q: fault, task, timeout or drop", rule.Kind)
	}
	if rule.Fault == "" {
		rule.Fault = "NotSupported"
	}
	if newFault(rule.Fault) == nil {
		return fmt.Errorf("fault %q: not a fault of the API", rule.Fault)
	}
	if rule.Method == "*" {
		rule.Method = ""
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = append(f.rules, &rule)
	return nil
}

func (f *Faults) clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = nil
}

// take finds the rule of one of the kinds for a call and uses it up once; nil = none.
func (f *Faults) take(face, method, object string, kinds ...string) *FaultRule {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, r := range f.rules {
		if !anyOf(r.Kind, kinds) || r.Method != "" && bareMethod(r.Method) != bareMethod(method) ||
			r.Name != "" && r.Name != object || r.Face != "" && r.Face != face {
			continue
		}
		taken := *r
		if r.Count == 1 {
			f.rules = append(f.rules[:i:i], f.rules[i+1:]...)
		} else if r.Count > 1 {
			r.Count--
		}
		return &taken
	}
	return nil
}

func anyOf(s string, list []string) bool {
	for _, x := range list {
		if s == x {
			return true
		}
	}
	return false
}

// bareMethod lets a rule say PowerOffVM for PowerOffVM_Task.
func bareMethod(method string) string { return strings.TrimSuffix(method, "_Task") }

func (r *FaultRule) fault() types.BaseMethodFault { return newFault(r.Fault) }

// newFault makes a fault by its name in the API; nil = there is none of that name.
func newFault(name string) types.BaseMethodFault {
	kind, ok := types.TypeFunc()(name)
	if !ok || kind.Kind() != reflect.Struct {
		return nil
	}
	fault, _ := reflect.New(kind).Interface().(types.BaseMethodFault)
	return fault
}
