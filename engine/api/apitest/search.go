package apitest

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"decenter/engine/api"
)

// nodes gives the satellites with their counts, by name. c.mu is held.
func (c *Constellation) nodes() []api.Satellite {
	nodes := slices.Clone(c.satellites)
	for i := range nodes {
		for _, v := range c.vms {
			if v.Satellite == nodes[i].Name {
				nodes[i].VMs++
				if v.State == api.StateRunning {
					nodes[i].Running++
				}
			}
		}
	}
	slices.SortFunc(nodes, func(a, b api.Satellite) int { return strings.Compare(a.Name, b.Name) })
	return nodes
}

// items lists everything that can be found. c.mu is held.
func (c *Constellation) items() []api.Item {
	var items []api.Item
	for _, v := range c.vms {
		items = append(items, api.Item{Kind: api.KindVM, Name: v.Name, State: string(v.State), Satellite: v.Satellite, VM: &v})
	}
	for _, s := range c.suits {
		items = append(items, api.Item{Kind: api.KindSpacesuit, Name: s.Name, Satellite: s.Satellite, Spacesuit: &s})
	}
	for _, n := range c.nodes() {
		items = append(items, api.Item{Kind: api.KindSatellite, Name: n.Name, State: string(n.State), Satellite: n.Name, Node: &n})
	}
	for _, j := range c.jobs {
		s := j.Job
		items = append(items, api.Item{Kind: api.KindJob, Name: s.ID, State: string(s.State), Satellite: s.Satellite, Job: &s})
	}
	return items
}

// matches tells whether every word and every filter holds.
func matches(q api.Query, item api.Item) bool {
	for _, w := range q.Words {
		if !hasWord(item, strings.ToLower(w)) {
			return false
		}
	}
	for _, f := range q.Filters {
		if holds(f, item) == f.Not {
			return false
		}
	}
	return true
}

func hasWord(item api.Item, w string) bool {
	switch k := api.Kind(w); k {
	case api.KindVM, api.KindSpacesuit, api.KindSatellite, api.KindJob:
		return item.Kind == k
	}
	texts := []string{item.Name, string(item.Kind)}
	texts = append(texts, values(item, api.KeyID)...)
	texts = append(texts, values(item, api.KeyAddress)...)
	return slices.ContainsFunc(texts, func(s string) bool { return strings.Contains(strings.ToLower(s), w) })
}

func holds(f api.Filter, item api.Item) bool {
	for _, have := range values(item, f.Key) {
		for _, want := range f.Values {
			if compare(f.Op, strings.ToLower(have), strings.ToLower(want)) {
				return true
			}
		}
	}
	return false
}

// values are an item's texts under a key; sizes are bytes in digits.
func values(item api.Item, key string) []string {
	switch key {
	case api.KeyName:
		return []string{item.Name}
	case api.KeyState:
		return []string{item.State}
	case api.KeySatellite:
		return []string{item.Satellite}
	}
	if n := item.Node; n != nil {
		return map[string][]string{api.KeyID: {n.ID}, api.KeyAddress: {n.Address}}[key]
	}
	if j := item.Job; j != nil {
		return map[string][]string{api.KeyID: {j.ID}, api.KeyOwner: {j.Account}}[key]
	}
	v := item.VM
	if v == nil {
		return nil
	}
	var macs, addresses []string
	for _, n := range v.NICs {
		macs = append(macs, n.MAC)
		addresses = append(addresses, n.Addresses...)
	}
	return map[string][]string{
		api.KeyID: {v.ID}, api.KeyFrom: {v.From}, api.KeyOwner: {v.Owner}, api.KeyMAC: macs, api.KeyAddress: addresses,
		api.KeyCPU: {strconv.Itoa(v.CPU)}, api.KeyMemory: {strconv.FormatUint(v.Memory, 10)},
	}[key]
}

func compare(op api.Op, have, want string) bool {
	if op == api.OpIs {
		// The names here hold no slash, so that path.Match's * matches any run.
		ok, err := path.Match(want, have)
		return have == want || (ok && err == nil)
	}
	a, errA := strconv.ParseUint(have, 10, 64)
	b, errB := strconv.ParseUint(want, 10, 64)
	if errA != nil || errB != nil {
		return false
	}
	switch op {
	case api.OpLT:
		return a < b
	case api.OpLE:
		return a <= b
	case api.OpGT:
		return a > b
	}
	return a >= b
}
