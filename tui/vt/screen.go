package vt

import (
	"github.com/charmbracelet/x/ansi"
)

// Our own limits.
const (
	MinSize  = 2     // columns and rows
	MaxSize  = 1000  // columns and rows
	MaxBack  = 1000  // rows kept that scrolled off the top
	maxReply = 1024  // bytes of answers kept for the guest
	maxData  = 4096  // bytes of one OSC or DCS string; more are dropped
	maxRep   = 10000 // repetitions of one REP
	tabStop  = 8     // columns
)

type cursor struct {
	x, y  int
	style style
	// wrap is set after a character went into the last column: the next one goes to the next row. A control
	// function that moves the cursor clears it (VT220 reference, DECAWM).
	wrap  bool
	sets  [2]bool // G0, G1: line drawing
	shift int     // which of the two is in use
}

// Screen is a terminal's screen and its state.
type Screen struct {
	w, h   int
	rows   [][]cell
	main   [][]cell // the first screen while the second is shown, else nil
	back   [][]cell // scrolled off the top, oldest first, at most MaxBack
	cur    cursor
	saved  cursor
	top    int // scroll region, rows [top, bottom)
	bottom int
	last   rune // last printed, for REP

	hidden    bool // cursor, DECTCEM
	nowrap    bool // DECAWM reset
	appKeys   bool // DECCKM
	bracketed bool // paste

	parser *ansi.Parser
	reply  []byte
}

// New makes an empty screen of w columns and h rows.
func New(w, h int) *Screen {
	s := &Screen{w: clamp(w, MinSize, MaxSize), h: clamp(h, MinSize, MaxSize)}
	s.rows = s.emptyRows(s.h)
	s.bottom = s.h
	s.parser = ansi.NewParser()
	s.parser.SetDataSize(maxData)
	s.parser.SetHandler(ansi.Handler{
		Print: s.print, Execute: s.control, HandleCsi: s.csi, HandleEsc: s.escape,
	})
	return s
}

// Write reads what the guest sent. It never fails.
func (s *Screen) Write(p []byte) (int, error) {
	for _, b := range p {
		s.parser.Advance(b)
	}
	return len(p), nil
}

// Size gives columns and rows.
func (s *Screen) Size() (w, h int) { return s.w, s.h }

// Resize changes the size. Rows that do not fit any more go to the scrollback, and come back from there.
func (s *Screen) Resize(w, h int) {
	w, h = clamp(w, MinSize, MaxSize), clamp(h, MinSize, MaxSize)
	if w == s.w && h == s.h {
		return
	}
	s.w = w
	for i, row := range s.rows {
		s.rows[i] = fitRow(row, w)
	}
	for i, row := range s.main {
		s.main[i] = fitRow(row, w)
	}
	for len(s.rows) > h && s.cur.y < len(s.rows)-1 {
		s.rows = s.rows[:len(s.rows)-1]
	}
	for len(s.rows) > h {
		s.keep(s.rows[0])
		s.rows = s.rows[1:]
		s.cur.y--
	}
	for len(s.rows) < h && len(s.back) > 0 && s.main == nil {
		row := fitRow(s.back[len(s.back)-1], w)
		s.back = s.back[:len(s.back)-1]
		s.rows = append([][]cell{row}, s.rows...)
		s.cur.y++
	}
	for len(s.rows) < h {
		s.rows = append(s.rows, s.emptyRow())
	}
	if s.main != nil {
		s.main = s.main[max(0, len(s.main)-h):]
		for len(s.main) < h {
			s.main = append(s.main, s.emptyRow())
		}
	}
	s.h, s.top, s.bottom = h, 0, h
	s.moveTo(s.cur.x, s.cur.y)
	s.saved.x, s.saved.y = min(s.saved.x, w-1), min(s.saved.y, h-1)
}

// Rows renders the screen, scrolled back by so many rows; without colours where plain. Each row is at most as
// wide as the screen and holds printable characters and SGR alone.
func (s *Screen) Rows(back int, plain bool) []string {
	back = clamp(back, 0, len(s.back))
	out := make([]string, 0, s.h)
	for i := len(s.back) - back; i < len(s.back) && len(out) < s.h; i++ {
		out = append(out, text(fitRow(s.back[i], s.w), plain))
	}
	for i := 0; len(out) < s.h; i++ {
		out = append(out, text(s.rows[i], plain))
	}
	return out
}

// Back tells how many rows can be scrolled back.
func (s *Screen) Back() int { return len(s.back) }

// Cursor tells where the cursor is, and whether it is shown.
func (s *Screen) Cursor() (x, y int, shown bool) { return s.cur.x, s.cur.y, !s.hidden }

// AppKeys tells whether the guest wants its cursor keys as SS3 (DECCKM).
func (s *Screen) AppKeys() bool { return s.appKeys }

// Bracketed tells whether the guest wants pasted text in brackets (xterm mode 2004).
func (s *Screen) Bracketed() bool { return s.bracketed }

// TakeReply gives what the terminal answers to the guest, once.
func (s *Screen) TakeReply() []byte {
	r := s.reply
	s.reply = nil
	return r
}

func (s *Screen) answer(t string) {
	if len(s.reply)+len(t) <= maxReply {
		s.reply = append(s.reply, t...)
	}
}

func (s *Screen) emptyRow() []cell {
	row := make([]cell, s.w)
	for i := range row {
		row[i] = blank(s.cur.style)
	}
	return row
}

func (s *Screen) emptyRows(n int) [][]cell {
	rows := make([][]cell, n)
	for i := range rows {
		rows[i] = s.emptyRow()
	}
	return rows
}

// keep puts a row into the scrollback.
func (s *Screen) keep(row []cell) {
	if s.main != nil {
		return // the second screen has none
	}
	if len(s.back) == MaxBack {
		copy(s.back, s.back[1:])
		s.back = s.back[:MaxBack-1]
	}
	s.back = append(s.back, row)
}

func fitRow(row []cell, w int) []cell {
	if len(row) == w {
		return row
	}
	out := make([]cell, w)
	n := copy(out, row)
	for i := n; i < w; i++ {
		out[i] = blank(style{})
	}
	if n == w && w > 0 && out[w-1].width == 2 {
		out[w-1] = blank(style{}) // half of a wide character
	}
	return out
}

func clamp(v, low, high int) int { return max(low, min(v, high)) }
