package tui

import (
	"context"
	"fmt"
	"io"
	"strings"

	tea "charm.land/bubbletea/v2"

	"decenter/engine/api"
	"decenter/tui/vt"
)

// The bounds of a serial console.
const (
	consoleRead    = 32 << 10 // bytes a message
	consolePending = 64 << 10 // bytes typed that the guest did not take yet; more are dropped, and said
)

// consolePage is a VM's serial line.
//
//	opening ──▶ open ──▶ ended   the guest or its satellite went away; any key leaves
//	   │          │
//	   └──────────┴─ Ctrl-] ──▶ closed; the guest goes on
//
// One read and one write are under way at most, so that bytes keep their order and a slow guest holds nothing up.
type consolePage struct {
	pageBase
	name    string
	screen  *vt.Screen
	wire    io.ReadWriteCloser
	writing bool
	pending []byte // typed, not yet given to a write
	ended   *api.Error
	lost    bool // typed bytes were dropped
	heard   bool // the guest said something
	back    int  // rows scrolled back
}

// consoleMsg is what became of the opening, a read or a write.
type consoleMsg struct {
	to    *consolePage
	wire  io.ReadWriteCloser // opened
	data  []byte             // read
	wrote bool
	err   error
}

func (p *consolePage) command() string { return "console " + word(p.name) }

// consoleSize is the guest's screen: all but the line that says where one is.
func (m *Model) consoleSize() (w, h int) { return m.w, m.h - 1 }

func (m *Model) openConsole(name string) tea.Cmd {
	p := &consolePage{name: name}
	p.screen = vt.New(m.consoleSize())
	return m.open(p)
}

// load opens the line, once.
func (p *consolePage) load(m *Model) tea.Cmd {
	if p.wire != nil || p.ended != nil || p.asking {
		return nil
	}
	p.asking = true
	ctx, svc, name := p.ctx, m.svc, p.name
	return func() tea.Msg {
		wire, err := svc.Console(ctx, name)
		if err == nil {
			// Whatever becomes of this message, the line does not stay open longer than the page.
			context.AfterFunc(ctx, func() { _ = wire.Close() })
		}
		return consoleMsg{to: p, wire: wire, err: err}
	}
}

func (p *consolePage) read() tea.Cmd {
	wire := p.wire
	return func() tea.Msg {
		buf := make([]byte, consoleRead)
		n, err := wire.Read(buf)
		return consoleMsg{to: p, data: buf[:n], err: err}
	}
}

// flush gives the guest what was typed, if no write is under way.
func (p *consolePage) flush() tea.Cmd {
	if p.writing || p.wire == nil || len(p.pending) == 0 || p.ended != nil {
		return nil
	}
	data, wire := p.pending, p.wire
	p.pending, p.writing = nil, true
	return func() tea.Msg {
		_, err := wire.Write(data)
		return consoleMsg{to: p, wrote: true, err: err}
	}
}

// take brings a message of this console into its state.
func (p *consolePage) take(m *Model, msg consoleMsg) tea.Cmd {
	if p.ctx.Err() != nil {
		return nil // closed meanwhile
	}
	_, _ = p.screen.Write(msg.data)
	p.heard = p.heard || len(msg.data) > 0
	if msg.err != nil && p.ended == nil {
		p.ended = apiError(msg.err)
		if msg.err == io.EOF {
			p.ended = api.Errorf(api.CodeUnavailable, "the guest's serial line ended")
		}
	}
	var next tea.Cmd
	switch {
	case msg.wrote:
		p.writing, p.lost = false, false
	case p.ended != nil:
	case msg.wire != nil:
		p.wire, p.asking, p.ready = msg.wire, false, true
		next = p.read()
	default:
		next = p.read()
	}
	p.pending = append(p.pending, p.screen.TakeReply()...)
	return tea.Batch(next, p.flush())
}

// hangUp closes the line; the page's context does the same.
func (p *consolePage) hangUp() tea.Cmd {
	p.cancel()
	return nil
}

// key sends a key to the guest, but for the one that leaves and those that scroll back.
func (p *consolePage) key(m *Model, k tea.KeyPressMsg) tea.Cmd {
	switch k.String() {
	case "ctrl+]":
		return m.back()
	case "shift+pgup":
		p.back = min(p.back+max(1, m.h/2), p.screen.Back())
		return nil
	case "shift+pgdown":
		p.back = max(0, p.back-max(1, m.h/2))
		return nil
	}
	if p.ended != nil {
		return m.back()
	}
	p.back = 0
	return p.send(encodeKey(k, p.screen.AppKeys()))
}

func (p *consolePage) paste(text string) tea.Cmd {
	// The end mark of a bracketed paste must not come from inside it.
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\x1b", ""), "\n", "\r")
	if p.screen.Bracketed() {
		text = "\x1b[200~" + text + "\x1b[201~"
	}
	return p.send(text)
}

func (p *consolePage) send(s string) tea.Cmd {
	if len(p.pending)+len(s) > consolePending {
		p.lost = true
		return nil
	}
	p.pending = append(p.pending, s...)
	return p.flush()
}

// draw gives the guest's screen.
func (p *consolePage) draw(m *Model, w, h int) []string {
	rows := p.screen.Rows(p.back, m.opt.NoColor)
	return rows[max(0, len(rows)-h):]
}

// status is the line below the guest's screen.
func (p *consolePage) status(m *Model, w int) string {
	t := m.theme
	line := t.name.Render(clean(p.name)) + " serial console"
	switch {
	case p.ended != nil:
		line += "  " + t.bad.Render("✗ "+clean(p.ended.Error())) + "  any key leaves"
	case p.wire == nil:
		line += "  opening …  " + t.key.Render("Ctrl-]") + " leaves"
	case !p.heard:
		line += "  nothing said yet, " + t.key.Render("Enter") + " may wake it  " + t.key.Render("Ctrl-]") + " leaves"
	default:
		line += "  " + t.key.Render("Ctrl-]") + " leaves"
	}
	if p.lost {
		line += "  " + t.bad.Render("! the guest takes no input, keys were dropped")
	}
	if p.back > 0 {
		line += fmt.Sprintf("  %d rows back", p.back)
	}
	return spread(line, m.who(w/3), w)
}

// encodeKey gives the bytes that a VT220 or xterm sends for a key.
func encodeKey(k tea.KeyPressMsg, app bool) string {
	var s string
	switch {
	case k.Mod&tea.ModCtrl != 0 && control(k.Code) >= 0:
		s = string(rune(control(k.Code)))
	case k.Text != "":
		s = k.Text
	case k.Code < 0x80 && k.Code >= ' ' && k.Code != tea.KeyBackspace:
		s = string(k.Code)
	default:
		s = special(k, app)
	}
	if k.Mod&tea.ModAlt != 0 && s != "" {
		s = "\x1b" + s
	}
	return s
}

// control gives the C0 character that Ctrl makes of a key, or -1.
func control(c rune) int {
	switch {
	case c >= 'a' && c <= 'z':
		return int(c - 'a' + 1)
	case c >= '@' && c <= '_':
		return int(c - '@')
	case c == ' ':
		return 0
	case c == '/':
		return 0x1f
	}
	return -1
}

// special gives the bytes of keys that have no character; app is DECCKM.
func special(k tea.KeyPressMsg, app bool) string {
	if final, ok := map[rune]byte{tea.KeyUp: 'A', tea.KeyDown: 'B', tea.KeyRight: 'C', tea.KeyLeft: 'D', tea.KeyHome: 'H', tea.KeyEnd: 'F'}[k.Code]; ok {
		mod := 1
		if k.Mod&tea.ModShift != 0 {
			mod++
		}
		if k.Mod&tea.ModCtrl != 0 {
			mod += 4
		}
		switch {
		case mod > 1:
			return fmt.Sprintf("\x1b[1;%d%c", mod, final)
		case app:
			return "\x1bO" + string(final)
		}
		return "\x1b[" + string(final)
	}
	if k.Code == tea.KeyTab && k.Mod&tea.ModShift != 0 {
		return "\x1b[Z"
	}
	return map[rune]string{
		tea.KeyEnter: "\r", tea.KeyTab: "\t", tea.KeyBackspace: "\x7f", tea.KeyEscape: "\x1b",
		tea.KeyInsert: "\x1b[2~", tea.KeyDelete: "\x1b[3~", tea.KeyPgUp: "\x1b[5~", tea.KeyPgDown: "\x1b[6~",
		tea.KeyF1: "\x1bOP", tea.KeyF2: "\x1bOQ", tea.KeyF3: "\x1bOR", tea.KeyF4: "\x1bOS", tea.KeyF5: "\x1b[15~",
		tea.KeyF6: "\x1b[17~", tea.KeyF7: "\x1b[18~", tea.KeyF8: "\x1b[19~", tea.KeyF9: "\x1b[20~",
		tea.KeyF10: "\x1b[21~", tea.KeyF11: "\x1b[23~", tea.KeyF12: "\x1b[24~",
	}[k.Code]
}
