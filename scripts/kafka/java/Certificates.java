// Makes the certificates of the tests in one JVM: a CA with a server and a client below it, and a
// CA that nobody trusts. Stores for the broker, PEM files for clients. Runs the JDK's keytool.
import java.io.InputStream;
import java.io.PrintStream;
import java.lang.reflect.Method;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.Key;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;

public final class Certificates {
  private static final String names = "SAN=ip:127.0.0.1,dns:localhost";
  private static Method keytool;
  private static Path folder;
  private static String password;

  /** The folder to write into, and the password of the stores. */
  public static void main(String[] args) throws Exception {
    folder = Path.of(args[0]);
    password = args[1];
    keytool =
        Class.forName("sun.security.tools.keytool.Main").getMethod("main", String[].class);
    authority("ca", "Tailrace test CA");
    authority("other-ca", "Another CA");
    signed("server", "localhost", "ca", names, "eku=serverAuth");
    signed("client", "client", "ca", "eku=clientAuth");
    signed("stranger", "stranger", "other-ca", "eku=clientAuth");
    keytool("-importcert", "-noprompt", "-alias", "ca", "-file", at("ca.pem"),
        "-keystore", at("trusted.p12"));
  }

  private static void authority(String name, String title) throws Exception {
    keytool("-genkeypair", "-alias", name, "-dname", "CN=" + title, "-keyalg", "EC",
        "-groupname", "secp256r1", "-validity", "36500", "-ext", "bc:c",
        "-ext", "ku=keyCertSign,cRLSign", "-keystore", at(name + ".p12"));
    writePem(name, name + ".p12");
  }

  private static void signed(String name, String title, String authority, String... extensions)
      throws Exception {
    String store = at(name + ".p12");
    keytool("-genkeypair", "-alias", name, "-dname", "CN=" + title, "-keyalg", "EC",
        "-groupname", "secp256r1", "-validity", "36500", "-keystore", store);
    keytool("-certreq", "-alias", name, "-file", at(name + ".csr"), "-keystore", store);
    List<String> sign = new ArrayList<>(List.of("-gencert", "-rfc", "-alias", authority,
        "-infile", at(name + ".csr"), "-outfile", at(name + ".crt"), "-validity", "36500",
        "-keystore", at(authority + ".p12")));
    for (String extension : extensions) sign.addAll(List.of("-ext", extension));
    keytool(sign.toArray(String[]::new));
    keytool("-importcert", "-noprompt", "-alias", "ca", "-file", at(authority + ".pem"),
        "-keystore", store);
    keytool("-importcert", "-alias", name, "-file", at(name + ".crt"), "-keystore", store);
    writePem(name, name + ".p12");
  }

  /** The certificate, and its key beside it. */
  private static void writePem(String name, String store) throws Exception {
    KeyStore keys = KeyStore.getInstance("PKCS12");
    try (InputStream in = Files.newInputStream(folder.resolve(store))) {
      keys.load(in, password.toCharArray());
    }
    Certificate certificate = keys.getCertificate(name);
    Key key = keys.getKey(name, password.toCharArray());
    pem(name + ".pem", "CERTIFICATE", certificate.getEncoded());
    pem(name + ".key.pem", "PRIVATE KEY", key.getEncoded());
  }

  private static void pem(String file, String kind, byte[] bytes) throws Exception {
    String text = Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(bytes);
    Files.writeString(folder.resolve(file),
        "-----BEGIN " + kind + "-----\n" + text + "\n-----END " + kind + "-----\n");
  }

  /** Ends this JVM with a message when it fails, as keytool does. */
  private static void keytool(String... args) throws Exception {
    List<String> all = new ArrayList<>(List.of(args));
    all.addAll(List.of("-storetype", "PKCS12", "-storepass", password));
    PrintStream printed = System.err;
    keytool.invoke(null, (Object) all.toArray(String[]::new));
    System.setErr(printed);
  }

  private static String at(String name) {
    return folder.resolve(name).toString();
  }
}
