package vt

import "github.com/charmbracelet/x/ansi"

// csi carries out one control sequence.
func (s *Screen) csi(cmd ansi.Cmd, params ansi.Params) {
	switch {
	case cmd.Prefix() == '?' && cmd.Intermediate() == 0:
		switch cmd.Final() {
		case 'h':
			s.private(params, true)
		case 'l':
			s.private(params, false)
		}
		return
	case cmd.Prefix() != 0 || cmd.Intermediate() != 0:
		return
	}
	// n is the first parameter as a count: missing and 0 are 1, and no more than the screen can show.
	n, _, _ := params.Param(0, 1)
	n = clamp(n, 1, MaxSize)
	if s.moves(cmd.Final(), n, params) || s.edits(cmd.Final(), n) {
		return
	}
	mode, _, _ := params.Param(0, 0)
	switch cmd.Final() {
	case 'J':
		s.eraseScreen(mode)
	case 'K':
		s.eraseLine(mode)
	case 'm':
		s.sgr(params)
	case 'r': // DECSTBM
		bottom, _, _ := params.Param(1, s.h)
		if bottom == 0 || bottom > s.h {
			bottom = s.h
		}
		if n < bottom {
			s.top, s.bottom = n-1, bottom
			s.moveTo(0, 0)
		}
	case 'n':
		s.report(mode)
	case 'c': // DA: a VT102
		if mode == 0 {
			s.answer("\x1b[?6c")
		}
	case 's':
		s.saved = s.cur
	case 'u':
		s.restore()
	}
}

// moves carries out a control sequence that moves the cursor, and tells whether it is one.
func (s *Screen) moves(final byte, n int, params ansi.Params) bool {
	x, y := s.cur.x, s.cur.y
	switch final {
	case 'A':
		y = max(y-n, s.ceiling())
	case 'B', 'e':
		y = min(y+n, s.floor())
	case 'C', 'a':
		x += n
	case 'D':
		x -= n
	case 'E':
		x, y = 0, min(y+n, s.floor())
	case 'F':
		x, y = 0, max(y-n, s.ceiling())
	case 'G', '`':
		x = n - 1
	case 'd':
		y = n - 1
	case 'H', 'f':
		col, _, _ := params.Param(1, 1)
		x, y = max(col, 1)-1, n-1
	default:
		return false
	}
	s.moveTo(x, y)
	return true
}

// ceiling and floor are how far relative movement goes: the scroll region's rows, from inside of it.
func (s *Screen) ceiling() int {
	if s.cur.y >= s.top {
		return s.top
	}
	return 0
}

func (s *Screen) floor() int {
	if s.cur.y < s.bottom {
		return s.bottom - 1
	}
	return s.h - 1
}

// edits carries out a control sequence that shifts or overwrites cells, and tells whether it is one.
func (s *Screen) edits(final byte, n int) bool {
	row := s.rows[s.cur.y]
	rest := row[s.cur.x:]
	inside := s.cur.y >= s.top && s.cur.y < s.bottom
	switch final {
	case '@': // ICH
		s.split(row, s.cur.x)
		n = min(n, len(rest))
		copy(rest[n:], rest)
		s.fill(rest[:n])
		s.mend(row)
	case 'P': // DCH
		s.split(row, s.cur.x)
		n = min(n, len(rest))
		copy(rest, rest[n:])
		s.fill(rest[len(rest)-n:])
		s.mend(row)
	case 'X': // ECH
		s.erase(row, s.cur.x, s.cur.x+n)
	case 'L': // IL
		if inside {
			s.scroll(s.cur.y, -min(n, s.h))
		}
	case 'M': // DL
		if inside {
			s.deleteLines(min(n, s.h))
		}
	case 'S':
		s.scroll(s.top, min(n, s.h))
	case 'T':
		s.scroll(s.top, -min(n, s.h))
	case 'b': // REP
		for range min(n, maxRep) {
			if s.last != 0 {
				s.print(s.last)
			}
		}
	default:
		return false
	}
	s.cur.wrap = s.cur.wrap && final == 'b'
	return true
}

// deleteLines is scroll from the cursor's row, of which nothing goes to the scrollback.
func (s *Screen) deleteLines(n int) {
	region := s.rows[s.cur.y:s.bottom]
	for ; n > 0; n-- {
		copy(region, region[1:])
		region[len(region)-1] = s.emptyRow()
	}
}

func (s *Screen) eraseScreen(mode int) {
	switch mode {
	case 0:
		s.eraseLine(0)
		for _, row := range s.rows[s.cur.y+1:] {
			s.fill(row)
		}
	case 1:
		s.eraseLine(1)
		for _, row := range s.rows[:s.cur.y] {
			s.fill(row)
		}
	case 2:
		for _, row := range s.rows {
			s.fill(row)
		}
	case 3:
		s.back = nil
	}
}

func (s *Screen) eraseLine(mode int) {
	row := s.rows[s.cur.y]
	switch mode {
	case 0:
		s.erase(row, s.cur.x, s.w)
	case 1:
		s.erase(row, 0, s.cur.x+1)
	case 2:
		s.erase(row, 0, s.w)
	}
}

func (s *Screen) erase(row []cell, from, to int) {
	to = min(to, len(row))
	s.split(row, from)
	s.split(row, to)
	s.fill(row[from:to])
}

func (s *Screen) fill(cells []cell) {
	for i := range cells {
		cells[i] = blank(s.cur.style)
	}
}

// mend blanks halves of wide characters that a shift tore apart.
func (s *Screen) mend(row []cell) {
	for i, c := range row {
		switch {
		case c.width == 2 && (i+1 == len(row) || row[i+1].width != 0):
			row[i] = blank(c.style)
		case c.width == 0 && (i == 0 || row[i-1].width != 2):
			row[i] = blank(c.style)
		}
	}
}

// sgr selects graphic rendition (ECMA-48 section 8.3.117; 38 and 48 as ITU-T T.416 and xterm have them).
func (s *Screen) sgr(params ansi.Params) {
	if len(params) == 0 {
		s.cur.style = style{}
	}
	for i := 0; i < len(params); i++ {
		st := &s.cur.style
		switch p := params[i].Param(0); {
		case p == 0:
			*st = style{}
		case p >= 1 && p <= 5:
			st.attrs |= 1 << (p - 1)
		case p >= 7 && p <= 9:
			st.attrs |= 1 << (p - 2)
		case p == 22:
			st.attrs &^= attrBold | attrFaint
		case p >= 23 && p <= 25:
			st.attrs &^= 1 << (p - 21)
		case p >= 27 && p <= 29:
			st.attrs &^= 1 << (p - 22)
		case p >= 30 && p <= 37:
			st.fg = colorIndexed | color(p-30)
		case p == 38:
			i += extended(params[i+1:], &st.fg)
		case p == 39:
			st.fg = 0
		case p >= 40 && p <= 47:
			st.bg = colorIndexed | color(p-40)
		case p == 48:
			i += extended(params[i+1:], &st.bg)
		case p == 49:
			st.bg = 0
		case p >= 90 && p <= 97:
			st.fg = colorIndexed | color(p-90+8)
		case p >= 100 && p <= 107:
			st.bg = colorIndexed | color(p-100+8)
		}
	}
}

// extended reads 5;N or 2;R;G;B into c and tells how many parameters it took.
func extended(p ansi.Params, c *color) int {
	if len(p) == 0 {
		return 0
	}
	switch p[0].Param(0) {
	case 5:
		if len(p) >= 2 {
			*c = colorIndexed | color(p[1].Param(0)&0xff)
		}
		return min(2, len(p))
	case 2:
		if len(p) >= 4 {
			*c = colorDirect | color(p[1].Param(0)&0xff)<<16 | color(p[2].Param(0)&0xff)<<8 | color(p[3].Param(0)&0xff)
		}
		return min(4, len(p))
	}
	return 1
}
