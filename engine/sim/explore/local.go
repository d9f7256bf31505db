package explore

// serials bounds how many topologies a satellite adopts in one exploration, the first one included.
const serials = 6

// local is what one satellite holds of the agreement. It changes by its own events alone, so what can become of each local
// state is worked out once and looked up after that.
type local struct {
	serial uint8 // of the topology that is held; the first is 1
	past   [serials]held
	known  uint32 // the views ever adopted, by bit
	keeps  bool   // nothing is zeroed
	peers  [maxDegree]peer
}

const maxDegree = 4

// held is a topology by its serial, less one. What no neighbour may act upon any more is zeroed, so that like is equal.
type held struct {
	view  uint8
	ready bool // its detours are worked out
}

// peer is a neighbour, by its place among all that a satellite can ever have.
type peer struct {
	up    bool
	heard uint8 // the serial that it last said; 0: nothing was heard since it came up
	view  uint8
	ready bool
	acked uint8 // the serial of ours that it echoed, or that stood when it came up
	echo  bool  // it echoed acked
}

// message is an announcement: the view, its serial, whether the detours are ready, and the receiver's serial as an echo.
type message struct {
	view, serial uint8
	ready        bool
	echo         uint8
}

func (l *local) now() held { return l.past[l.serial-1] }

// low is the least serial that a neighbour may still act upon.
func (l *local) low() uint8 {
	low := l.serial
	for _, k := range l.peers {
		if k.up {
			low = min(low, k.acked)
		}
	}
	return low
}

func (l local) forget() local {
	for s := uint8(1); s < l.low() && !l.keeps; s++ {
		l.past[s-1] = held{}
	}
	return l
}

func (l local) adopt(view uint8) local {
	l.serial++
	l.past[l.serial-1] = held{view: view}
	l.known |= 1 << view
	return l.forget()
}

func (l local) worked() local {
	l.past[l.serial-1].ready = true
	return l
}

func (l local) up(k int) local {
	l.peers[k] = peer{up: true, acked: l.serial}
	return l
}

func (l local) down(k int) local {
	l.peers[k] = peer{}
	return l.forget()
}

func (l local) hear(k int, m message) local {
	p := &l.peers[k]
	p.heard, p.view, p.ready = m.serial, m.view, m.ready
	if m.echo > 0 && m.echo >= p.acked {
		p.acked, p.echo = m.echo, true
	}
	return l.forget()
}

// say gives the announcement to neighbour k.
func (l *local) say(k int) message {
	return message{view: l.now().view, serial: l.serial, ready: l.now().ready, echo: l.peers[k].heard}
}

// agreed is the first half of F6.
func (l *local) agreed() bool {
	if !l.now().ready {
		return false
	}
	for _, k := range l.peers {
		if k.up && (k.heard == 0 || !k.ready || !k.echo || k.acked != l.serial || k.view != l.now().view) {
			return false
		}
	}
	return true
}
