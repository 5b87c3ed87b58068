package org.uplift;

import jakarta.servlet.Filter;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.context.annotation.Bean;

/** Runs Flowable with its REST API. With `engine.credentials=user:password`, every request needs them. */
@SpringBootApplication
public class Engine {

  public static void main(String[] arguments) {
    SpringApplication.run(Engine.class, arguments);
  }

  @Bean
  Filter credentials(@Value("${engine.credentials:}") String credentials) {
    String expected = "Basic " + Base64.getEncoder().encodeToString(credentials.getBytes(StandardCharsets.UTF_8));
    return (request, response, chain) -> {
      if (credentials.isEmpty() || expected.equals(((HttpServletRequest) request).getHeader("Authorization"))) {
        chain.doFilter(request, response);
      } else {
        ((HttpServletResponse) response).setHeader("WWW-Authenticate", "Basic realm=\"engine\"");
        ((HttpServletResponse) response).sendError(401);
      }
    };
  }
}
