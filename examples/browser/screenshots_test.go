package browser

import (
	"bytes"
	"flag"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// screenshots is where TestScreenshots keeps its images: "make screenshots"
// names docs/images.
var screenshots = flag.String("screenshots", "", "`folder` for the images of the README")

// maxImage is how large an image of the README may be.
const maxImage = 150 << 10

// TestScreenshots takes the images of the README.
func TestScreenshots(t *testing.T) {
	t.Parallel()
	folder := *screenshots
	if folder == "" {
		folder = t.TempDir()
	}
	address := start(t, "echo5")
	b, phone := newTab(t, address), newTab(t, address)
	for _, tab := range []*tab{b, phone} {
		tab.show(1040, "light")
		tab.open()
		tab.enter("Name", "Ann")
		tab.press("Sign in")
	}
	for _, item := range [][2]string{{"Notebook", "1"}, {"Pencils", "4"}, {"Apple", "2"}, {"Map of the coast", "1"}} {
		b.enter("What to pack", item[0])
		b.enter("How many", item[1])
		b.press("Pack")
	}
	b.enter("What to pack", "Raincoat")
	b.enter("How many", "one")
	b.press("Pack")
	b.keep(folder, "list", 1040, "light")

	phone.press("Live")
	phone.press("Start a job")
	phone.waitFor("The job has finished")
	phone.keep(folder, "live", 390, "dark")
}

// keep writes an image of the whole page.
func (b *tab) keep(folder, name string, width int64, scheme string) {
	b.Helper()
	b.show(width, scheme)
	height := run(b, chromedp.Evaluate[float64](
		`(document.activeElement.blur(), scrollTo(0, 0), document.documentElement.getBoundingClientRect().height)`))
	call(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: width, Height: int64(height), DeviceScaleFactor: 1,
	})
	shot := call(b, page.CaptureScreenshot, page.CaptureScreenshotParams{
		Clip: &page.Viewport{Width: float64(width), Height: height, Scale: 1.5},
	}).Data
	if *screenshots != "" {
		shot = b.smaller(shot)
	}
	if len(shot) > maxImage {
		b.Errorf("%s has %d bytes, want at most %d", name, len(shot), maxImage)
	}
	if err := os.WriteFile(filepath.Join(folder, name+".png"), shot, 0o600); err != nil {
		b.Fatal(err)
	}
}

// smaller compresses an image better than the browser does, to its 256 most
// frequent colours: text and plain areas have few.
func (b *tab) smaller(shot []byte) []byte {
	b.Helper()
	img, err := png.Decode(bytes.NewReader(shot))
	if err != nil {
		b.Fatal(err)
	}
	counts := map[color.Color]int{}
	for y := range img.Bounds().Dy() {
		for x := range img.Bounds().Dx() {
			counts[img.At(x, y)]++
		}
	}
	colours := slices.SortedFunc(maps.Keys(counts), func(a, b color.Color) int { return counts[b] - counts[a] })
	reduced := image.NewPaletted(img.Bounds(), colours[:min(256, len(colours))])
	draw.Draw(reduced, img.Bounds(), img, image.Point{}, draw.Src)
	var packed bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&packed, reduced); err != nil {
		b.Fatal(err)
	}
	return packed.Bytes()
}
