// Package match decides whether an item answers a search: api.Query against api.Item, without anything else.
// Every satellite runs it on its own things, so that only what matches crosses the network.
package match

import (
	"strconv"
	"strings"

	"decenter/engine/api"
)

var kinds = map[string]api.Kind{
	"vm": api.KindVM, "vms": api.KindVM,
	"spacesuit": api.KindSpacesuit, "spacesuits": api.KindSpacesuit,
	"satellite": api.KindSatellite, "satellites": api.KindSatellite,
	"job": api.KindJob, "jobs": api.KindJob,
}

// Item tells whether the item is what the query asks for. A key that an item of that kind does not have matches no
// value, so `cpu:2` finds no satellite's jobs, and `-cpu:2` finds them.
func Item(q api.Query, it api.Item) bool {
	text := ""
	for _, w := range q.Words {
		w = strings.ToLower(w)
		if k, ok := kinds[w]; ok {
			if k != it.Kind {
				return false
			}
			continue
		}
		if text == "" {
			text = haystack(it)
		}
		if !strings.Contains(text, w) && !(len(w) >= idDigits && strings.HasPrefix(strings.ToLower(id(it)), w)) {
			return false
		}
	}
	for _, f := range q.Filters {
		if holds(f, it) == f.Not {
			return false
		}
	}
	return true
}

// idDigits are enough of an id's beginning to mean it. Elsewhere in an id a word is chance.
const idDigits = 4

func id(it api.Item) string {
	switch {
	case it.VM != nil:
		return it.VM.ID
	case it.Node != nil:
		return it.Node.ID
	case it.Job != nil:
		return it.Job.ID
	}
	return ""
}

// haystack is all text a plain word is looked for in, a line each.
func haystack(it api.Item) string {
	all := []string{string(it.Kind), it.Name}
	switch {
	case it.VM != nil:
		for _, n := range it.VM.NICs {
			all = append(append(all, n.MAC), n.Addresses...)
		}
	case it.Node != nil:
		all = append(all, it.Node.Address)
	case it.Job != nil:
		all = append(all, it.Job.Verb)
	}
	return strings.ToLower(strings.Join(all, "\n"))
}

func holds(f api.Filter, it api.Item) bool {
	text, number := values(f.Key, it)
	for _, want := range f.Values {
		for _, have := range text {
			if f.Op == api.OpIs && glob(strings.ToLower(want), strings.ToLower(have)) {
				return true
			}
		}
		w, err := strconv.ParseUint(want, 10, 64)
		for _, have := range number {
			if err == nil && compare(f.Op, have, w) {
				return true
			}
		}
	}
	return false
}

// values gives what the item has under the key: texts, or numbers where the key's values are such.
func values(key string, it api.Item) (text []string, number []uint64) {
	switch key {
	case api.KeyName:
		return []string{it.Name}, nil
	case api.KeyState:
		return []string{it.State}, nil
	case api.KeySatellite:
		return []string{it.Satellite}, nil
	}
	switch {
	case it.VM != nil:
		return vmValues(key, it.VM)
	case it.Node != nil:
		switch key {
		case api.KeyID:
			return []string{it.Node.ID}, nil
		case api.KeyAddress:
			return []string{it.Node.Address}, nil
		case api.KeyCPU:
			return nil, []uint64{uint64(it.Node.CPUs)}
		case api.KeyMemory:
			return nil, []uint64{it.Node.Memory}
		}
	case it.Job != nil:
		switch key {
		case api.KeyID:
			return []string{it.Job.ID}, nil
		case api.KeyOwner:
			return []string{it.Job.Account}, nil
		}
	}
	return nil, nil
}

func vmValues(key string, v *api.VM) (text []string, number []uint64) {
	switch key {
	case api.KeyID:
		return []string{v.ID}, nil
	case api.KeyFrom:
		return []string{v.From}, nil
	case api.KeyOwner:
		return []string{v.Owner}, nil
	case api.KeyCPU:
		return nil, []uint64{uint64(v.CPU)}
	case api.KeyMemory:
		return nil, []uint64{v.Memory}
	case api.KeyMAC:
		for _, n := range v.NICs {
			text = append(text, n.MAC)
		}
	case api.KeyAddress:
		for _, n := range v.NICs {
			text = append(text, n.Addresses...)
		}
	}
	return text, nil
}

func compare(op api.Op, have, want uint64) bool {
	switch op {
	case api.OpIs:
		return have == want
	case api.OpLT:
		return have < want
	case api.OpLE:
		return have <= want
	case api.OpGT:
		return have > want
	case api.OpGE:
		return have >= want
	}
	return false
}

// glob tells whether s is the pattern, in which * stands for any run. It takes time linear in pattern times text at worst.
func glob(pattern, s string) bool {
	first, rest, star := strings.Cut(pattern, "*")
	if !star {
		return s == pattern
	}
	s, ok := strings.CutPrefix(s, first)
	if !ok {
		return false
	}
	parts := strings.Split(rest, "*")
	last := parts[len(parts)-1]
	for _, p := range parts[:len(parts)-1] {
		i := strings.Index(s, p)
		if i < 0 {
			return false
		}
		s = s[i+len(p):]
	}
	return strings.HasSuffix(s, last)
}
