package gatetest

import (
	"time"

	"claviger.dev/claviger"
)

// AdmissionModel is what an Admission has to do with one window, written down a
// second time, as simply as can be and with nothing of the engines in it: whole
// ticks instead of time, and lists of who holds what. It is comparable, so that
// all that can happen can be listed.
type AdmissionModel struct {
	Rule AdmissionRule
	Now  int
	// drained is the tick at which all has drained that was taken of a rate, or
	// used of a continuous limit.
	drained int
	used    int64
	slots   [3]modelSlot
	kept    modelKept
	// failed says that the last write failed; since is when the oldest change
	// was made that is not written, −1 for none.
	failed bool
	since  int
}

// AdmissionRule is the window and how much is looked at.
type AdmissionRule struct {
	Kind claviger.ChargeKind
	// Calendar makes a window of three ticks of the calendar. Else one of the
	// limit drains in each tick, so that the limit is that of three ticks.
	Calendar bool
	Limit    int64
	// Holders is how many there are, at most 3; Life after how many ticks a hold
	// expires; Until the last tick.
	Holders, Life, Until int
	// Over is by how much more than it holds a call may use.
	Over int64
	// Journal adds writes that succeed and fail, and crashes.
	Journal bool
}

type modelSlot struct {
	open, closed bool
	amount       int64
	at           int
}

// modelKept is what was written last.
type modelKept struct {
	drained    int
	used, held int64
	window     int
}

// StepKind is what may happen next.
type StepKind int

// The steps. StepWriteLost fails and stores nothing, StepWriteUnsure fails and
// has stored all the same, and StepCrash ends the process and starts another.
const (
	StepTick StepKind = iota
	StepAdmit
	StepSettle
	StepRelease
	StepWrite
	StepWriteLost
	StepWriteUnsure
	StepCrash
)

// Step is one thing that happens.
type Step struct {
	Kind   StepKind
	Holder int
	Amount int64
}

// Verdict is what Admit has to answer.
type Verdict int

// The verdicts. VerdictUnknown is that the limits cannot be known.
const (
	VerdictGranted Verdict = iota
	VerdictRefused
	VerdictUnknown
)

// NewAdmissionModel is a window from which nothing was taken.
func NewAdmissionModel(r AdmissionRule) AdmissionModel { return AdmissionModel{Rule: r, since: -1} }

// Tick is how long a tick is.
func (r AdmissionRule) Tick() time.Duration {
	if r.Calendar {
		return 20 * time.Minute
	}
	return 20 * time.Second
}

// Charge takes amount from the window.
func (r AdmissionRule) Charge(amount int64) claviger.Charge {
	c := claviger.Charge{Key: "total:all", Kind: r.Kind, Amount: amount, Window: claviger.Window{Limit: r.Limit, Per: claviger.PeriodMinute}}
	switch {
	case r.Kind == claviger.ChargeLease:
		c.Window.Per = claviger.PeriodNone
	case r.Calendar:
		c.Window.Per = claviger.PeriodHour
	}
	if r.Kind == claviger.ChargeMoney {
		c.Window.Currency = "USD"
	}
	return c
}

func (m *AdmissionModel) window() int { return m.Now / 3 }

func (m *AdmissionModel) level() int64 { return int64(max(m.drained-m.Now, 0)) }

func (m *AdmissionModel) lease() bool { return m.Rule.Kind == claviger.ChargeLease }
func (m *AdmissionModel) rate() bool  { return m.Rule.Kind == claviger.ChargeRate }

// held is what calls under way hold of the window of now.
func (m *AdmissionModel) held() (sum int64) {
	for _, s := range m.slots {
		if s.open && !m.rate() && (!m.Rule.Calendar || s.at/3 == m.window()) {
			sum += s.amount
		}
	}
	return sum
}

// Remaining is what can still be taken.
func (m *AdmissionModel) Remaining() int64 {
	return max(m.Rule.Limit-m.level()-m.used-m.held(), 0)
}

// Open reports whether anything is held.
func (m *AdmissionModel) Open() bool {
	return m.slots[0].open || m.slots[1].open || m.slots[2].open
}

// Steps are all that may happen next.
func (m *AdmissionModel) Steps() []Step {
	var out []Step
	if m.Now < m.Rule.Until {
		out = append(out, Step{Kind: StepTick})
	}
	for i := range m.Rule.Holders {
		s := m.slots[i]
		if !s.open {
			for amount := int64(1); amount <= m.Rule.Limit+1; amount++ {
				out = append(out, Step{StepAdmit, i, amount})
			}
		}
		if s.open || s.closed {
			for amount := int64(0); amount <= s.amount+m.Rule.Over; amount++ {
				out = append(out, Step{StepSettle, i, amount})
			}
			out = append(out, Step{StepRelease, i, 0})
		}
	}
	if m.Rule.Journal {
		out = append(out, Step{Kind: StepWrite}, Step{Kind: StepWriteLost}, Step{Kind: StepWriteUnsure}, Step{Kind: StepCrash})
	}
	return out
}

// Apply does a step and says what Admit has to answer, if it is one.
func (m *AdmissionModel) Apply(s Step) Verdict {
	switch s.Kind {
	case StepTick:
		m.tick()
	case StepAdmit:
		return m.admit(s.Holder, s.Amount)
	case StepSettle:
		m.close(s.Holder, s.Amount)
	case StepRelease:
		m.release(s.Holder)
	case StepWrite, StepWriteUnsure:
		m.kept = modelKept{m.drained, m.used, m.held(), m.window()}
		m.failed = s.Kind == StepWriteUnsure
		if !m.failed {
			m.since = -1
		}
	case StepWriteLost:
		m.failed = true
	case StepCrash:
		m.crash()
	}
	return VerdictGranted
}

// tick lets time pass: windows of the calendar begin anew, and holds whose time
// is up count as used.
func (m *AdmissionModel) tick() {
	before := m.window()
	m.Now++
	if m.window() != before {
		m.used = 0
	}
	for i, s := range m.slots {
		if s.open && m.Now-s.at >= m.Rule.Life {
			if m.rate() {
				m.changed()
			}
			m.close(i, s.amount)
		}
	}
}

func (m *AdmissionModel) changed() {
	if m.Rule.Journal && !m.lease() && m.since < 0 {
		m.since = m.Now
	}
}

func (m *AdmissionModel) admit(i int, amount int64) Verdict {
	switch {
	case m.failed, m.since >= 0 && m.Now > m.since:
		return VerdictUnknown
	case amount > m.Remaining():
		return VerdictRefused
	}
	m.slots[i] = modelSlot{open: true, amount: amount, at: m.Now}
	if m.rate() {
		m.drain(amount)
	}
	m.changed()
	return VerdictGranted
}

func (m *AdmissionModel) drain(amount int64) { m.drained = m.Now + int(m.level()+amount) }

// close ends a hold with what was used. One that is closed already stays so.
func (m *AdmissionModel) close(i int, used int64) {
	s := m.slots[i]
	if !s.open {
		return
	}
	m.slots[i] = modelSlot{closed: true}
	switch {
	case m.lease(), m.rate():
		return
	case !m.Rule.Calendar:
		m.drain(used)
	case s.at/3 == m.window():
		m.used += used
	}
	m.changed()
}

func (m *AdmissionModel) release(i int) {
	s := m.slots[i]
	if !s.open {
		return
	}
	m.slots[i] = modelSlot{closed: true}
	if !m.rate() {
		m.changed()
	}
}

// crash ends the process. What was written is known to the next one, and what
// was held then counts as used.
func (m *AdmissionModel) crash() {
	k := m.kept
	m.slots, m.failed, m.since = [3]modelSlot{}, false, -1
	m.drained, m.used = k.drained, 0
	switch {
	case m.lease(), m.rate():
	case !m.Rule.Calendar:
		m.drain(k.held)
	case k.window == m.window():
		m.used = k.used + k.held
	default:
		k.held = 0
	}
	if k.held > 0 && !m.lease() && !m.rate() {
		m.changed()
	}
}
