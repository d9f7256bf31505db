package vt

import (
	"fmt"
	"unicode"

	"github.com/charmbracelet/x/ansi"
)

// lineDrawing is DEC's special graphics set, from 0x60.
var lineDrawing = []rune("◆▒␉␌␍␊°±␤␋┘┐┌└┼⎺⎻─⎼⎽├┤┴┬│≤≥π≠£·")

func (s *Screen) print(r rune) {
	if s.cur.sets[s.cur.shift] && r >= 0x60 && int(r-0x60) < len(lineDrawing) {
		r = lineDrawing[r-0x60]
	}
	width := 1
	if r < ' ' || r > '~' {
		if !unicode.IsPrint(r) || unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Me, r) {
			return
		}
		if width = ansi.StringWidth(string(r)); width < 1 || width > 2 {
			return
		}
	}
	if s.cur.wrap || s.cur.x+width > s.w {
		if s.nowrap {
			s.cur.x = s.w - width
		} else {
			s.cur.x = 0
			s.lineFeed()
		}
		s.cur.wrap = false
	}
	row := s.rows[s.cur.y]
	s.split(row, s.cur.x)
	s.split(row, s.cur.x+width)
	row[s.cur.x] = cell{r: r, width: uint8(width), style: s.cur.style}
	if width == 2 {
		row[s.cur.x+1] = cell{style: s.cur.style}
	}
	s.last = r
	if s.cur.x += width; s.cur.x >= s.w {
		s.cur.x, s.cur.wrap = s.w-1, true
	}
}

// split makes sure that no wide character lies across the border before column x.
func (s *Screen) split(row []cell, x int) {
	if x > 0 && x < len(row) && row[x].width == 0 {
		row[x-1], row[x] = blank(row[x-1].style), blank(row[x].style)
	}
}

// control carries out one C0 control character (ECMA-48 section 8.2.1).
func (s *Screen) control(b byte) {
	switch b {
	case '\b':
		s.moveTo(s.cur.x-1, s.cur.y)
	case '\t':
		s.moveTo((s.cur.x/tabStop+1)*tabStop, s.cur.y)
	case '\n', '\v', '\f':
		s.lineFeed()
	case '\r':
		s.moveTo(0, s.cur.y)
	case 0x0e: // SO
		s.cur.shift = 1
	case 0x0f: // SI
		s.cur.shift = 0
	}
}

func (s *Screen) escape(cmd ansi.Cmd) {
	switch cmd.Intermediate() {
	case '(':
		s.cur.sets[0] = cmd.Final() == '0'
		return
	case ')':
		s.cur.sets[1] = cmd.Final() == '0'
		return
	case 0:
	default:
		return
	}
	switch cmd.Final() {
	case '7': // DECSC
		s.saved = s.cur
	case '8': // DECRC
		s.restore()
	case 'D': // IND
		s.lineFeed()
	case 'E': // NEL
		s.moveTo(0, s.cur.y)
		s.lineFeed()
	case 'M': // RI
		s.cur.wrap = false
		if s.cur.y == s.top {
			s.scroll(s.top, -1)
		} else {
			s.moveTo(s.cur.x, s.cur.y-1)
		}
	case 'c': // RIS
		s.reset()
	}
}

func (s *Screen) reset() {
	fresh := New(s.w, s.h)
	// The parser's handlers are bound to s, which stays where it is.
	fresh.parser, fresh.back, fresh.reply = s.parser, s.back, s.reply
	*s = *fresh
}

func (s *Screen) restore() {
	s.cur = s.saved
	s.moveTo(s.cur.x, s.cur.y)
}

// moveTo puts the cursor at a place, or the nearest there is.
func (s *Screen) moveTo(x, y int) {
	s.cur.x, s.cur.y, s.cur.wrap = clamp(x, 0, s.w-1), clamp(y, 0, s.h-1), false
}

func (s *Screen) lineFeed() {
	s.cur.wrap = false
	switch {
	case s.cur.y == s.bottom-1:
		s.scroll(s.top, 1)
	case s.cur.y < s.h-1:
		s.cur.y++
	}
}

// scroll moves the rows from top to the region's end by n: up where n is positive, else down.
func (s *Screen) scroll(top, n int) {
	region := s.rows[top:s.bottom]
	for ; n > 0 && len(region) > 0; n-- {
		if top == 0 && s.bottom == s.h {
			s.keep(region[0])
		}
		copy(region, region[1:])
		region[len(region)-1] = s.emptyRow()
	}
	for ; n < 0 && len(region) > 0; n++ {
		copy(region[1:], region)
		region[0] = s.emptyRow()
	}
}

// private sets or resets DEC private modes, and those of xterm that guests use.
func (s *Screen) private(params ansi.Params, on bool) {
	for i := range params {
		switch params[i].Param(0) {
		case 1:
			s.appKeys = on
		case 7:
			s.nowrap = !on
		case 25:
			s.hidden = !on
		case 47, 1047, 1049:
			s.second(on)
		case 2004:
			s.bracketed = on
		}
	}
}

// second shows the second screen, or the first again.
func (s *Screen) second(on bool) {
	switch {
	case on && s.main == nil:
		s.saved = s.cur
		s.main = s.rows
		s.rows = s.emptyRows(s.h)
	case !on && s.main != nil:
		s.rows, s.main = s.main, nil
		s.restore()
	}
	s.top, s.bottom = 0, s.h
}

// report answers DSR (ECMA-48 section 8.3.35).
func (s *Screen) report(what int) {
	switch what {
	case 5:
		s.answer("\x1b[0n")
	case 6:
		s.answer(fmt.Sprintf("\x1b[%d;%dR", s.cur.y+1, s.cur.x+1))
	}
}
