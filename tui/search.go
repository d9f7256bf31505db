package tui

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"decenter/engine/api"
)

type (
	searchDue struct{ seq uint64 }
	searchMsg struct {
		seq   uint64
		reply api.SearchReply
		err   error
	}
)

// search is what was asked for and what was found. on is false while the box holds nothing to search for.
type search struct {
	on     bool
	query  api.Query
	seq    uint64 // of the last question; answers to others are stale
	cancel context.CancelFunc
	busy   bool
	first  bool // Enter was pressed: select the first row when the answer is here
	stale  bool // an event told of something that may belong here
	ready  bool
	items  []api.Item
	index  map[string]int // VM id to row
	took   time.Duration
	err    *api.Error
	list   list
}

func (s *search) selected() *api.Item {
	if s.list.sel < 0 || s.list.sel >= len(s.items) {
		return nil
	}
	return &s.items[s.list.sel]
}

// identity is what makes two items the same thing at different times.
func identity(it *api.Item) string {
	switch {
	case it.VM != nil:
		return "vm\x00" + it.VM.ID
	case it.Job != nil:
		return "job\x00" + it.Job.ID
	}
	return string(it.Kind) + "\x00" + it.Name + "\x00" + it.Satellite
}

// want sets what to search for; a question under way for something else ends.
func (m *Model) want(q api.Query) tea.Cmd {
	s := &m.search
	if s.on && (s.ready || s.busy) && reflect.DeepEqual(q, s.query) {
		return nil
	}
	if !s.on {
		s.ready, s.items, s.index = false, nil, nil
	}
	s.on, s.query, s.first = true, q, false
	m.endSearch()
	return after(m.ctx, debounce, searchDue{s.seq})
}

// endSearch makes every question so far stale.
func (m *Model) endSearch() {
	m.search.seq++
	m.search.busy = false
	if m.search.cancel != nil {
		m.search.cancel()
		m.search.cancel = nil
	}
}

// leaveSearch shows no results any more.
func (m *Model) leaveSearch() {
	if m.search.on {
		m.endSearch()
		m.search.on, m.search.items, m.search.index, m.search.err = false, nil, nil, nil
		m.search.ready, m.search.list = false, list{sel: -1}
		m.refused = nil
	}
}

// runSearch asks now.
func (m *Model) runSearch() tea.Cmd {
	m.endSearch()
	s := &m.search
	s.busy, s.stale = true, false
	ctx, cancel := context.WithTimeout(m.ctx, askTimeout)
	s.cancel = cancel
	seq, q, svc := s.seq, s.query, m.svc
	return func() tea.Msg {
		defer cancel()
		reply, err := svc.Search(ctx, q)
		return searchMsg{seq, reply, err}
	}
}

// found takes an answer. The selection stays on the same thing; where that is gone, nothing is selected.
func (m *Model) found(msg searchMsg) {
	s := &m.search
	if msg.seq != s.seq || !s.on {
		return
	}
	s.busy = false
	if msg.err != nil {
		s.err = apiError(msg.err)
		return
	}
	var was string
	if it := s.selected(); it != nil {
		was = identity(it)
	}
	s.ready, s.err, s.items, s.took = true, nil, msg.reply.Items, time.Duration(msg.reply.Took)
	m.silent, m.refused = msg.reply.Silent, msg.reply.Refused
	s.index = make(map[string]int, len(s.items))
	s.list.sel = -1
	for i := range s.items {
		if s.items[i].VM != nil {
			s.index[s.items[i].VM.ID] = i
		}
		if was != "" && identity(&s.items[i]) == was {
			s.list.sel = i
		}
	}
	if s.first && s.list.sel < 0 && len(s.items) > 0 && m.searchLine() {
		s.list.sel = 0
	}
	s.first = false
}

// event brings a change into the results; what cannot be told from here is asked for again.
func (s *search) event(e api.Event) {
	if !s.on {
		return
	}
	if e.VM == nil || e.Gone {
		s.stale = true
		return
	}
	i, ok := s.index[e.VM.ID]
	if !ok || s.items[i].State != string(e.VM.State) {
		s.stale = true // it may match now, or no more
	}
	if ok {
		v := *e.VM
		s.items[i].VM, s.items[i].State, s.items[i].Satellite = &v, string(v.State), v.Satellite
	}
}

var resultColumns = []column{
	{title: "NAME", min: 12, max: 32},
	{title: "KIND", min: 9, max: 9, drop: 5},
	{title: "STATE", min: 10, max: 10},
	{title: "SATELLITE", min: 9, max: 16, drop: 2},
	{title: "CPU", min: 3, max: 3, right: true, drop: 4},
	{title: "MEMORY", min: 7, max: 8, right: true, drop: 3},
	{title: "ADDRESS", min: 15, max: 26, drop: 6},
	{title: "FROM, DOING", min: 12, max: 36, drop: 7},
	{title: "AGE", min: 4, max: 4, right: true, drop: 8},
}

// row gives an item's cells, in the order of resultColumns.
func (m *Model) row(it *api.Item) []field {
	t := m.theme
	state, style := t.state(it.State)
	var cpu, memory, address, detail, old string
	now := m.opt.Now()
	switch {
	case it.VM != nil:
		cpu, memory = fmt.Sprint(it.VM.CPU), size(it.VM.Memory)
		address, detail, old = firstAddress(it.VM), it.VM.From, age(now, it.VM.Created)
	case it.Node != nil:
		cpu, memory, address = fmt.Sprint(it.Node.CPUs), size(it.Node.Memory), it.Node.Address
		detail = fmt.Sprintf("%d of %s run", it.Node.Running, count(it.Node.VMs, "VM", "VMs"))
	case it.Spacesuit != nil:
		detail, old = "disk of "+size(it.Spacesuit.Size), age(now, it.Spacesuit.Created)
	case it.Job != nil:
		state, style = t.jobState(it.Job.State)
		detail, old = it.Job.Verb+" "+it.Job.Object, age(now, it.Job.Started)
		if it.Job.Step != "" {
			detail += ": " + it.Job.Step
		}
	}
	return []field{
		{it.Name, t.plain}, {string(it.Kind), t.dim}, {state, style}, {it.Satellite, t.plain},
		{cpu, t.plain}, {memory, t.plain}, {address, t.plain}, {detail, t.dim}, {old, t.dim},
	}
}

// firstAddress prefers an address that others reach to a link-local one.
func firstAddress(vm *api.VM) string {
	var local string
	for _, n := range vm.NICs {
		for _, a := range n.Addresses {
			if !strings.HasPrefix(a, "fe80:") && !strings.HasPrefix(a, "169.254.") {
				return a
			}
			if local == "" || strings.HasPrefix(a, "169.254.") {
				local = a
			}
		}
	}
	return local
}

// maxRefusals is how many satellites' refusals are told above what others found.
const maxRefusals = 3

// drawResults draws what was found; beside it the selected item where there is room.
func (m *Model) drawResults(w, h int) []string {
	s := &m.search
	head, style := m.foundLine()
	out := []string{style.Render(cut(head, w))}
	if s.err != nil {
		return append(out, m.theme.bad.Render(cut(clean(s.err.Error()), w)))
	}
	out = append(out, m.refusedLines(m.refused, w, h)...)
	if len(s.items) == 0 {
		return out
	}
	h -= len(out) - 1
	listW := w
	var side []string
	if w >= 160 {
		listW = w * 5 / 8
		it := s.selected()
		if it == nil {
			it = &s.items[0]
		}
		side = m.itemBody(it, w-listW-4, h-1)
	}
	rows := s.list.draw(m.theme, resultColumns, len(s.items), listW, h-1, func(i int) []field { return m.row(&s.items[i]) })
	if side != nil {
		rows = beside(rows, side, listW+1, m.theme.dim.Render("│ "))
	}
	return append(out, rows...)
}

// refusedLines tells who refuses, and why, in at most half of h lines.
func (m *Model) refusedLines(list []api.Refusal, w, h int) []string {
	var out []string
	for _, r := range list[:min(len(list), maxRefusals, h/2)] {
		out = append(out, m.theme.busy.Render(cut("! "+clean(r.Satellite+" refuses: "+r.Reason), w)))
	}
	return out
}

// refusals are those of the answer that is shown.
func (m *Model) refusals() []api.Refusal {
	if p := m.page(); p != nil && !m.results() {
		return p.base().refused
	}
	return m.refused
}

func (m *Model) foundLine() (string, style) {
	s := &m.search
	switch {
	case s.err != nil:
		return "the search failed", m.theme.bad
	case !s.ready:
		return "searching …", m.theme.dim
	}
	line := count(len(s.items), "found", "found")
	if len(s.items) == 0 {
		line = "nothing found"
	}
	if m.searchLine() {
		line += " in " + seconds(s.took)
	} else {
		line += " named like it"
	}
	if s.list.sel >= 0 && len(s.items) > 0 {
		line += fmt.Sprintf(" · row %s of %s", thousands(s.list.sel+1), thousands(len(s.items)))
	}
	if s.busy {
		line += " …"
	}
	return line, m.theme.dim
}

// beside sets two columns of lines next to each other.
func beside(left, right []string, w int, border string) []string {
	out := make([]string, max(len(left), len(right)))
	for i := range out {
		var l, r string
		if i < len(left) {
			l = left[i]
		}
		if i < len(right) {
			r = right[i]
		}
		out[i] = pad(l, w) + border + r
	}
	return out
}
