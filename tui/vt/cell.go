package vt

import (
	"strconv"
	"strings"
)

// color is 0 for the default, else a tag in bits 24 and up and a value below.
type color uint32

const (
	colorIndexed color = 1 << 24 // | 0..255, the palette of xterm
	colorDirect  color = 2 << 24 // | 0xRRGGBB
)

// The attributes of a style, as bits.
const (
	attrBold = 1 << iota
	attrFaint
	attrItalic
	attrUnderline
	attrBlink
	attrReverse
	attrHidden
	attrStrike
)

// attrSGR gives each attribute's SGR parameter, in the order of the bits above.
var attrSGR = [...]string{"1", "2", "3", "4", "5", "7", "8", "9"}

type style struct {
	fg, bg color
	attrs  uint8
}

// cell is one place of the screen. A wide character has its rune in the first cell and width 0 in the second.
type cell struct {
	r     rune
	width uint8
	style style
}

func blank(s style) cell { return cell{r: ' ', width: 1, style: style{bg: s.bg}} }

// sgr gives the control sequence that sets s from any state; without colours where plain.
func (s style) sgr(plain bool) string {
	var b strings.Builder
	b.WriteString("\x1b[0")
	for i, p := range attrSGR {
		if s.attrs&(1<<i) != 0 {
			b.WriteByte(';')
			b.WriteString(p)
		}
	}
	if !plain {
		s.fg.append(&b, "38")
		s.bg.append(&b, "48")
	}
	b.WriteByte('m')
	return b.String()
}

func (c color) append(b *strings.Builder, layer string) {
	switch {
	case c&colorIndexed != 0:
		b.WriteString(";" + layer + ";5;" + strconv.Itoa(int(c&0xff)))
	case c&colorDirect != 0:
		b.WriteString(";" + layer + ";2;" + strconv.Itoa(int(c>>16&0xff)) + ";" + strconv.Itoa(int(c>>8&0xff)) + ";" + strconv.Itoa(int(c&0xff)))
	}
}

// text renders a row of cells; the row ends with a reset where it set anything.
func text(row []cell, plain bool) string {
	end := len(row)
	for end > 0 && row[end-1] == (cell{r: ' ', width: 1}) {
		end--
	}
	var b strings.Builder
	var now style
	for _, c := range row[:end] {
		if c.width == 0 {
			continue
		}
		if s := c.visible(plain); s != now {
			if s == (style{}) {
				b.WriteString("\x1b[0m")
			} else {
				b.WriteString(s.sgr(plain))
			}
			now = s
		}
		b.WriteRune(c.r)
	}
	if now != (style{}) {
		b.WriteString("\x1b[0m")
	}
	return b.String()
}

func (c cell) visible(plain bool) style {
	if plain {
		return style{attrs: c.style.attrs}
	}
	return c.style
}
