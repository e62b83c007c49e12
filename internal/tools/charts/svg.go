package main

import (
	"html"
	"io"
	"math"
	"slices"
	"strconv"
	"text/template"
)

// Sizes, in pixels of an image that is shown at its own size.
const (
	width      = 760
	head       = 64 // title and note
	labelWidth = 140
	barWidth   = 470
	barHeight  = 20
	groupHead  = 30
	groupFoot  = 26
)

// bars is a figure of bars in groups, each with its own scale.
type bars struct {
	id, Title, Note string
	Height          int
	Groups          []barGroup
	unit            func(float64) string // text at a tick
}

type barGroup struct {
	Title  string
	Top    int // of the first bar
	Bottom int // of the last
	Bars   []bar
	Ticks  []tick
}

type bar struct {
	Label, Text, Class string
	Y, Width           float64
	value              float64
}

type tick struct {
	At   float64
	Text string
}

func (f *bars) name() string { return f.id }
func (f *bars) empty() bool  { return len(f.Groups) == 0 }

// add appends a group, if it has bars.
func (f *bars) add(g barGroup) {
	if len(g.Bars) == 0 {
		return
	}
	if f.Height == 0 {
		f.Height = head
	}
	g.Top = f.Height + groupHead
	most := slices.MaxFunc(g.Bars, func(a, b bar) int { return int(a.value - b.value) }).value
	step := niceStep(most / 5)
	for v := 0.0; v <= most; v += step {
		g.Ticks = append(g.Ticks, tick{labelWidth + v/most*barWidth, f.unit(v)})
	}
	for i := range g.Bars {
		b := &g.Bars[i]
		b.Y, b.Width = float64(g.Top+i*barHeight), max(b.value/most*barWidth, 1)
	}
	g.Bottom = g.Top + len(g.Bars)*barHeight
	f.Height = g.Bottom + groupFoot
	f.Groups = append(f.Groups, g)
}

func (f *bars) draw(w io.Writer) error { return barsTemplate.Execute(w, f) }

// niceStep returns 1, 2 or 5 times a power of ten, at least v.
func niceStep(v float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, n := range []float64{1, 2, 5} {
		if n*power >= v {
			return n * power
		}
	}
	return 10 * power
}

// lines is a figure of panels with lines.
type lines struct {
	id, Title, Note string
	Extra           string // style besides that of all images
	Columns         int
	panels          []panel
}

// panel is a diagram. Across, places are shares of its width.
type panel struct {
	Title, XTitle string
	xTicks        []tick
	unit          unit
	log           bool
	apart         bool // the point at the right edge is not joined to the others
	series        []series
}

type series struct {
	Name, Class string
	points      []dot
	dots        bool // the points are drawn, and the name beside the last one
}

// unit is what ticks are multiples of.
type unit struct {
	size float64
	text func(float64) string
}

func (f *lines) name() string { return f.id }
func (f *lines) empty() bool {
	return !slices.ContainsFunc(f.panels, func(p panel) bool { return len(p.series) > 0 })
}

// drawn is a panel with coordinates.
type drawn struct {
	Title, XTitle            string
	Left, Right, Top, Bottom float64
	XTicks, YTicks           []tick
	Lines                    []line
}

type line struct {
	Name, Class  string
	Path         string
	Dots         []dot
	NameX, NameY float64
}

type dot struct{ X, Y float64 }

const (
	panelHeight = 250.0
	plotLeft    = 58.0 // of the panel's left edge
	plotTop     = 34.0
	plotBottom  = 46.0 // above the panel's bottom edge
)

func (f *lines) draw(w io.Writer) error {
	data := struct {
		*lines
		Height float64
		Panels []drawn
	}{lines: f}
	panelWidth := float64(width) / float64(f.Columns)
	for i, p := range f.panels {
		left, top := float64(i%f.Columns)*panelWidth, head+float64(i/f.Columns)*panelHeight
		names := 46.0
		for _, s := range p.series {
			names = max(names, 14+7.2*float64(len(s.Name)))
		}
		data.Panels = append(data.Panels, p.draw(left+plotLeft, left+panelWidth-names, top+plotTop, top+panelHeight-plotBottom))
		data.Height = top + panelHeight
	}
	return linesTemplate.Execute(w, data)
}

func (p panel) draw(left, right, top, bottom float64) drawn {
	d := drawn{Title: p.Title, XTitle: p.XTitle, Left: left, Right: right, Top: top, Bottom: bottom}
	least, most := math.Inf(1), 0.0
	for _, s := range p.series {
		for _, at := range s.points {
			if at.Y > 0 {
				least, most = min(least, at.Y), max(most, at.Y)
			}
		}
	}
	if most == 0 {
		return d
	}
	low, high, scale := 0.0, most*1.05, func(v float64) float64 { return v }
	if p.log { // from a 1, 2 or 5 below to one above, so that a small difference stays small
		low, high, scale = math.Log(niceStep(least/2.6)), math.Log(niceStep(most*1.01)), math.Log
	}
	x := func(share float64) float64 { return left + share*(right-left) }
	y := func(v float64) float64 { return bottom - (scale(v)-low)/(high-low)*(bottom-top) }
	for _, t := range p.xTicks {
		d.XTicks = append(d.XTicks, tick{x(t.At), t.Text})
	}
	if p.log {
		for v := math.Exp(low); v <= math.Exp(high)*1.01; v = niceStep(v * 1.01) {
			d.YTicks = append(d.YTicks, tick{y(v), p.unit.text(v)})
		}
	} else {
		for v, step := 0.0, niceStep(high/6/p.unit.size)*p.unit.size; v <= high; v += step {
			d.YTicks = append(d.YTicks, tick{y(v), p.unit.text(v)})
		}
	}
	for _, s := range p.series {
		l := line{Name: s.Name, Class: s.Class}
		for _, point := range s.points {
			at := dot{x(point.X), y(point.Y)}
			if !p.apart || point.X < 1 {
				l.Path += map[bool]string{true: "M", false: "L"}[l.Path == ""] + coordinate(at.X) + " " + coordinate(at.Y)
			}
			l.NameX, l.NameY = right+6, at.Y+4
			if s.dots {
				l.Dots, l.NameX = append(l.Dots, at), at.X+8
			}
		}
		d.Lines = append(d.Lines, l)
	}
	spread(d.Lines)
	return d
}

// spread moves the names of lines apart, so that they can be read.
func spread(list []line) {
	byPlace := make([]*line, len(list))
	for i := range list {
		byPlace[i] = &list[i]
	}
	slices.SortStableFunc(byPlace, func(a, b *line) int { return int(math.Copysign(1, a.NameY-b.NameY)) })
	const apart = 13
	for range 50 {
		for i := 1; i < len(byPlace); i++ {
			if over := apart - (byPlace[i].NameY - byPlace[i-1].NameY); over > 0 {
				byPlace[i-1].NameY -= over / 2
				byPlace[i].NameY += over / 2
			}
		}
	}
}

// round returns a round time, such as one at a tick.
func round(nanoseconds float64) string {
	switch value := func(unit float64) string { return strconv.FormatFloat(nanoseconds/unit, 'g', 3, 64) }; {
	case nanoseconds == 0:
		return "0"
	case nanoseconds < 999:
		return value(1) + " ns"
	case nanoseconds < 999e3:
		return value(1e3) + " µs"
	case nanoseconds < 999e6:
		return value(1e6) + " ms"
	default:
		return value(1e9) + " s"
	}
}

func coordinate(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }

var functions = template.FuncMap{
	"text": html.EscapeString,
	"at":   coordinate,
	"add":  func(a, b float64) float64 { return a + b },
	"float": func(v int) float64 {
		return float64(v)
	},
}

// The colours are of the palette of Okabe and Ito, which the colour-blind can tell apart;
// every bar and line has its name beside it too.
const style = `<style>
svg { --paper: #ffffff; --ink: #1f2328; --soft: #59636e; --grid: #dde2e7; --ours: #0072b2; --floor: #d55e00; --peer: #8c959f; }
@media (prefers-color-scheme: dark) {
svg { --paper: #0d1117; --ink: #e6edf3; --soft: #9aa4ae; --grid: #2d333b; --ours: #56b4e9; --floor: #e69f00; --peer: #6e7781; }
}
text { font: 12px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; fill: var(--ink); }
.paper { fill: var(--paper); }
.title { font-size: 16px; font-weight: 600; }
.group { font-size: 13px; font-weight: 600; }
.note, .tick { fill: var(--soft); }
.tick { font-size: 11px; }
.grid { stroke: var(--grid); fill: none; }
.axis { stroke: var(--soft); fill: none; }
rect.ours { fill: var(--ours); } rect.floor { fill: var(--floor); } rect.peer { fill: var(--peer); }
path.ours { stroke: var(--ours); } path.floor { stroke: var(--floor); stroke-dasharray: 6 3; } path.peer { stroke: var(--peer); }
path.ours, path.floor { stroke-width: 2.5; fill: none; } path.peer { stroke-width: 1.5; fill: none; }
circle.ours { fill: var(--ours); } circle.floor { fill: var(--floor); } circle.peer { fill: var(--peer); }
text.ours { fill: var(--ours); font-weight: 600; } text.floor { fill: var(--floor); font-weight: 600; }
</style>
`

const top = `{{define "top"}}<title>{{text .Title}}</title>
<desc>{{text .Note}}</desc>
` + style + `<rect class="paper" width="100%" height="100%"/>
<text class="title" x="12" y="26">{{text .Title}}</text>
<text class="note tick" x="12" y="46">{{text .Note}}</text>
{{end}}`

var barsTemplate = template.Must(template.New("bars").Funcs(functions).Parse(top + `<svg xmlns="http://www.w3.org/2000/svg" width="760" height="{{.Height}}" viewBox="0 0 760 {{.Height}}" role="img">
{{template "top" .}}{{range .Groups}}{{$g := .}}<text class="group" x="12" y="{{at (add (float .Top) -10)}}">{{text .Title}}</text>
{{range .Ticks}}<path class="grid" d="M{{at .At}} {{$g.Top}}V{{$g.Bottom}}"/><text class="tick" text-anchor="middle" x="{{at .At}}" y="{{at (add (float $g.Bottom) 14)}}">{{text .Text}}</text>
{{end}}{{range .Bars}}<text class="{{.Class}}" text-anchor="end" x="132" y="{{at (add .Y 14)}}">{{text .Label}}</text><rect class="{{.Class}}" x="140" y="{{at (add .Y 3)}}" width="{{at .Width}}" height="14"/><text x="{{at (add .Width 146)}}" y="{{at (add .Y 14)}}">{{text .Text}}</text>
{{end}}<path class="axis" d="M140 {{.Top}}V{{.Bottom}}"/>
{{end}}</svg>
`))

var linesTemplate = template.Must(template.New("lines").Funcs(functions).Parse(top + `<svg xmlns="http://www.w3.org/2000/svg" width="760" height="{{.Height}}" viewBox="0 0 760 {{.Height}}" role="img">
{{template "top" .}}{{.Extra}}{{range .Panels}}{{$p := .}}<text class="group" x="{{at .Left}}" y="{{at (add .Top -12)}}">{{text .Title}}</text>
{{range .YTicks}}<path class="grid" d="M{{at $p.Left}} {{at .At}}H{{at $p.Right}}"/><text class="tick" text-anchor="end" x="{{at (add $p.Left -6)}}" y="{{at (add .At 4)}}">{{text .Text}}</text>
{{end}}{{range .XTicks}}<path class="axis" d="M{{at .At}} {{at $p.Bottom}}v4"/><text class="tick" text-anchor="middle" x="{{at .At}}" y="{{at (add $p.Bottom 17)}}">{{text .Text}}</text>
{{end}}<text class="tick" text-anchor="middle" x="{{at (add $p.Left 60)}}" y="{{at (add .Bottom 33)}}">{{text .XTitle}}</text>
<path class="axis" d="M{{at .Left}} {{at .Top}}V{{at .Bottom}}H{{at .Right}}"/>
{{range .Lines}}{{$l := .}}<path class="{{.Class}}" d="{{.Path}}"/>{{range .Dots}}<circle class="{{$l.Class}}" cx="{{at .X}}" cy="{{at .Y}}" r="3"/>{{end}}<text class="{{.Class}}" x="{{at .NameX}}" y="{{at .NameY}}">{{text .Name}}</text>
{{end}}{{end}}</svg>
`))
