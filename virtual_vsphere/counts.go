package main

import "sync"

// Counts is how often each method was called, on each face: with it a bench proves that it asks once for all VMs,
// not once for each.
type Counts struct {
	mu     sync.Mutex
	byFace map[string]map[string]int
}

func newCounts() *Counts { return &Counts{byFace: map[string]map[string]int{}} }

func (c *Counts) add(face, method string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byFace[face] == nil {
		c.byFace[face] = map[string]int{}
	}
	c.byFace[face][method]++
}

func (c *Counts) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.byFace = map[string]map[string]int{}
}

// report is {"total": n, "methods": {method: n}, "faces": {face: {method: n}}}.
func (c *Counts) report() map[string]any {
	c.mu.Lock()
	defer c.mu.Unlock()
	total, methods, faces := 0, map[string]int{}, map[string]map[string]int{}
	for face, calls := range c.byFace {
		faces[face] = map[string]int{}
		for method, n := range calls {
			faces[face][method] = n
			methods[method] += n
			total += n
		}
	}
	return map[string]any{"total": total, "methods": methods, "faces": faces}
}
