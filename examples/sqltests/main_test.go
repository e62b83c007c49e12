package sqltests

import (
	"io"
	"log"
	"os"
	"testing"

	"github.com/go-sql-driver/mysql"

	"github.com/satchel-go/satchel/internal/testing/sqltest"
)

func TestMain(m *testing.M) {
	_ = mysql.SetLogger(log.New(io.Discard, "", 0)) // tests end connections on purpose
	os.Exit(sqltest.Main(m))
}
