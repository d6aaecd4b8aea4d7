import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.MongoVersion;
import de.bwaldvogel.mongo.backend.memory.MemoryBackend;
import java.util.List;

/** Answers as MongoDB 6 on 127.0.0.1 and the port that is given, and keeps all in memory. */
class Server {
  /** The choices of the package end below the least wire version that the driver takes. */
  static class Version6 implements MongoVersion {
    public List<Integer> getVersionArray() {
      return List.of(6, 0, 0);
    }

    public int getWireVersion() {
      return 17;
    }
  }

  public static void main(String[] args) {
    MemoryBackend backend = new MemoryBackend();
    backend.version(new Version6());
    new MongoServer(backend).bind("127.0.0.1", Integer.parseInt(args[0]));
    System.out.println("ready");
  }
}
